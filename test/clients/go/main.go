// What programs do with amqp091-go; one line per step on standard output.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"reflect"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	exchange  = "clients.go"
	queue     = "clients.go.work"
	deadQueue = "clients.go.dead"
	next      = "clients.go.next"
	patience  = 20 * time.Second
)

var url = os.Getenv("AMQP_URL")

// trial is one connection with its channel, and the socket below them.
type trial struct {
	connection *amqp.Connection
	channel    *amqp.Channel
	socket     net.Conn
}

func expect(actual, expected any) error {
	if reflect.DeepEqual(actual, expected) {
		return nil
	}
	return fmt.Errorf("%#v instead of %#v", actual, expected)
}

func (t *trial) open() error {
	config := amqp.Config{Heartbeat: 10 * time.Second, Dial: func(network, address string) (net.Conn, error) {
		socket, err := amqp.DefaultDial(patience)(network, address)
		t.socket = socket
		return socket, err
	}}
	var err error
	for attempt := 0; attempt < 100; attempt++ {
		if t.connection, err = amqp.DialConfig(url, config); err == nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err != nil {
		return err
	}
	if t.channel, err = t.connection.Channel(); err != nil {
		return err
	}
	return t.channel.Confirm(false)
}

func (t *trial) clean() error {
	return firstError(
		func() error { _, err := t.channel.QueueDelete(queue, false, false, false); return err },
		func() error { _, err := t.channel.QueueDelete(deadQueue, false, false, false); return err },
		func() error { return t.channel.ExchangeDelete(exchange, false, false) },
		func() error { return t.channel.ExchangeDelete(deadQueue, false, false) },
		func() error { return t.channel.ExchangeDelete(next, false, false) },
	)
}

func firstError(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// publish waits until each message is confirmed.
func (t *trial) publish(bodies ...string) error {
	for _, body := range bodies {
		if err := t.publishTo(exchange, "a.b", body); err != nil {
			return err
		}
	}
	return nil
}

func (t *trial) publishTo(name, key, body string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	confirmation, err := t.channel.PublishWithDeferredConfirmWithContext(ctx, name, key, true, false, amqp.Publishing{
		DeliveryMode: amqp.Persistent,
		ContentType:  "text/plain",
		Headers:      amqp.Table{"n": int64(1), "list": []any{int32(1), "two"}},
		Body:         []byte(body),
	})
	if err != nil {
		return err
	}
	if !confirmation.Wait() {
		return errors.New("not confirmed: " + body)
	}
	return nil
}

// fetch gets a message that may be on its way between queues.
func (t *trial) fetch(name string) (amqp.Delivery, error) {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		delivery, ok, err := t.channel.Get(name, false)
		if ok || err != nil {
			return delivery, err
		}
	}
	return amqp.Delivery{}, errors.New("no message in " + name)
}

func (t *trial) declare() error {
	return firstError(
		func() error { return t.channel.ExchangeDeclare(exchange, "topic", true, false, false, false, nil) },
		func() error { return t.channel.ExchangeDeclare(deadQueue, "fanout", true, false, false, false, nil) },
		func() error { _, err := t.channel.QueueDeclare(deadQueue, true, false, false, false, nil); return err },
		func() error { return t.channel.QueueBind(deadQueue, "", deadQueue, false, nil) },
		func() error {
			arguments := amqp.Table{"x-dead-letter-exchange": deadQueue, "x-max-length": 1000}
			_, err := t.channel.QueueDeclare(queue, true, false, false, false, arguments)
			return err
		},
		func() error { return t.channel.QueueBind(queue, "a.*", exchange, false, nil) },
	)
}

func (t *trial) publishWithConfirms() error {
	if err := t.publish("one", "two", "three"); err != nil {
		return err
	}
	inspected, err := t.channel.QueueInspect(queue)
	if err != nil {
		return err
	}
	return expect(inspected.Messages, 3)
}

func (t *trial) returnMandatory() error {
	returns := t.channel.NotifyReturn(make(chan amqp.Return, 1))
	if err := t.publishTo(exchange, "z", "nowhere"); err != nil {
		return err
	}
	returned := <-returns
	return expect([]any{int(returned.ReplyCode), string(returned.Body)}, []any{312, "nowhere"})
}

func (t *trial) consumeWithPrefetch() error {
	if err := t.channel.Qos(2, 0, false); err != nil {
		return err
	}
	deliveries, err := t.channel.Consume(queue, "two-at-once", false, false, false, false, nil)
	if err != nil {
		return err
	}
	first, second := <-deliveries, <-deliveries
	if err := expect(string(first.Body)+string(second.Body), "onetwo"); err != nil {
		return err
	}
	if err := expect(first.Headers, amqp.Table{"n": int64(1), "list": []any{int32(1), "two"}}); err != nil {
		return err
	}
	select {
	case <-deliveries:
		return errors.New("a third one came")
	case <-time.After(200 * time.Millisecond):
	}
	if err := second.Ack(true); err != nil {
		return err
	}
	third := <-deliveries
	return firstError(
		func() error { return expect(string(third.Body), "three") },
		func() error { return third.Ack(false) },
		func() error { return t.channel.Cancel("two-at-once", false) },
	)
}

func (t *trial) requeue() error {
	if err := t.publish("again"); err != nil {
		return err
	}
	first, err := t.fetch(queue)
	if err != nil {
		return err
	}
	if err := first.Nack(false, true); err != nil {
		return err
	}
	second, err := t.fetch(queue)
	if err != nil {
		return err
	}
	seen := []any{first.Redelivered, second.Redelivered, string(second.Body)}
	if err := expect(seen, []any{false, true, "again"}); err != nil {
		return err
	}
	return second.Ack(false)
}

func (t *trial) deadLetter() error {
	if err := t.publish("bad"); err != nil {
		return err
	}
	delivery, err := t.fetch(queue)
	if err != nil {
		return err
	}
	if err := delivery.Nack(false, false); err != nil {
		return err
	}
	dead, err := t.fetch(deadQueue)
	if err != nil {
		return err
	}
	deaths, ok := dead.Headers["x-death"].([]any)
	if !ok || len(deaths) != 1 {
		return fmt.Errorf("x-death is %#v", dead.Headers["x-death"])
	}
	death := deaths[0].(amqp.Table)
	seen := []any{string(dead.Body), death["queue"], death["reason"], death["count"]}
	if err := expect(seen, []any{"bad", queue, "rejected", int64(1)}); err != nil {
		return err
	}
	return dead.Ack(false)
}

func (t *trial) bindExchanges() error {
	return firstError(
		func() error { return t.channel.ExchangeDeclare(next, "direct", true, false, false, false, nil) },
		func() error { return t.channel.ExchangeBind(exchange, "a.next", next, false, nil) },
		func() error { return t.publishTo(next, "a.next", "through two") },
		func() error { return t.fetchAndAck("through two", false) },
		func() error { return t.channel.ExchangeUnbind(exchange, "a.next", next, false, nil) },
	)
}

func (t *trial) fetchAndAck(body string, redelivered bool) error {
	delivery, err := t.fetch(queue)
	if err != nil {
		return err
	}
	seen := []any{string(delivery.Body), delivery.Redelivered}
	if err := expect(seen, []any{body, redelivered}); err != nil {
		return err
	}
	return delivery.Ack(false)
}

func (t *trial) closeChannelByError() error {
	channel, err := t.connection.Channel()
	if err != nil {
		return err
	}
	closed := channel.NotifyClose(make(chan *amqp.Error, 1))
	if _, err := channel.QueueDeclarePassive("clients.go.absent", true, false, false, false, nil); err == nil {
		return errors.New("an absent queue was found")
	}
	reason := <-closed
	return expect([]any{reason.Code, reason.Server}, []any{404, true})
}

func (t *trial) reconnectAfterCut() error {
	if err := t.publish("unacked"); err != nil {
		return err
	}
	if _, err := t.fetch(queue); err != nil {
		return err
	}
	closed := t.connection.NotifyClose(make(chan *amqp.Error, 1))
	t.socket.Close()
	<-closed
	return firstError(t.open, func() error { return t.fetchAndAck("unacked", true) })
}

func (t *trial) goOnAfterRestart() error {
	if err := t.publish("kept"); err != nil {
		return err
	}
	closed := t.connection.NotifyClose(make(chan *amqp.Error, 1))
	fmt.Println("restart")
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return err
	}
	if reason := <-closed; reason == nil || reason.Code != amqp.ConnectionForced {
		return fmt.Errorf("closed with %v", reason)
	}
	return firstError(
		t.open,
		func() error { return t.fetchAndAck("kept", false) },
		func() error { return t.publish("and new") },
		func() error { return t.fetchAndAck("and new", false) },
	)
}

// closeCleanly opens and closes connections: none of the closes may be told as an error.
func (t *trial) closeCleanly() error {
	for n := 0; n < 300; n++ {
		connection, err := amqp.Dial(url)
		if err != nil {
			return err
		}
		closed := connection.NotifyClose(make(chan *amqp.Error, 1))
		if err := connection.Close(); err != nil {
			return fmt.Errorf("close %d: %w", n, err)
		}
		if reason := <-closed; reason != nil {
			return fmt.Errorf("close %d was told as %v", n, reason)
		}
	}
	return nil
}

func (t *trial) delete() error {
	return firstError(t.clean, t.connection.Close)
}

func main() {
	t := &trial{}
	if err := firstError(t.open, t.clean); err != nil {
		fmt.Println("failed start:", err)
		os.Exit(1)
	}
	steps := []struct {
		name     string
		restarts bool
		do       func() error
	}{
		{"declare exchanges and a durable queue with a dead-letter exchange, bind", false, t.declare},
		{"publish with deferred confirms", false, t.publishWithConfirms},
		{"get a mandatory message returned", false, t.returnMandatory},
		{"consume with a prefetch of 2", false, t.consumeWithPrefetch},
		{"nack with requeue, and get it redelivered", false, t.requeue},
		{"nack without requeue, and find it dead-lettered with x-death", false, t.deadLetter},
		{"route through a binding between exchanges", false, t.bindExchanges},
		{"be told why a channel was closed", false, t.closeChannelByError},
		{"read counts and sizes of the HTTP API into integers", false, t.readIntegers},
		{"reconnect after a cut socket", false, t.reconnectAfterCut},
		{"go on after a restart of the broker", true, t.goOnAfterRestart},
		{"close 300 connections, none of them with an error", false, t.closeCleanly},
		{"delete queues and exchanges", false, t.delete},
	}
	for _, step := range steps {
		if step.restarts && os.Getenv("AMQP_RESTARTS") != "1" {
			fmt.Printf("skipped %s: this broker is not ours to restart\n", step.name)
			continue
		}
		if err := step.do(); err != nil {
			fmt.Printf("failed %s: %v\n", step.name, err)
			os.Exit(1)
		}
		fmt.Println("ok", step.name)
	}
}
