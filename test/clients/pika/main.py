"""What programs do with pika's BlockingConnection; one line per step on standard output."""

import os
import socket
import sys
import time

import pika
from pika.exceptions import (
    AMQPConnectionError,
    ChannelClosedByBroker,
    UnroutableError,
)

PARAMETERS = pika.URLParameters(os.environ["AMQP_URL"])
RESTARTS = os.environ["AMQP_RESTARTS"] == "1"
EXCHANGE, QUEUE = "clients.pika", "clients.pika.work"
DEAD, DEAD_QUEUE = "clients.pika.dead", "clients.pika.dead"
NEXT, TX_QUEUE = "clients.pika.next", "clients.pika.tx"
PERSISTENT = pika.BasicProperties(delivery_mode=2, headers={"n": 1, "deep": {"a": [1, "two"]}})


def connect():
    for attempt in range(100):
        try:
            return pika.BlockingConnection(PARAMETERS)
        except AMQPConnectionError:
            if attempt == 99:
                raise
            time.sleep(0.1)


def expect(actual, expected):
    if actual != expected:
        raise AssertionError(f"{actual!r} instead of {expected!r}")


def fetch(channel, queue):
    """A message that may be on its way between queues."""
    for _ in range(200):
        method, properties, body = channel.basic_get(queue)
        if method is not None:
            return method, properties, body
        time.sleep(0.02)
    raise AssertionError(f"no message in {queue}")


class Trial:
    def __init__(self):
        self.open()
        for queue in (QUEUE, DEAD_QUEUE, TX_QUEUE):
            self.channel.queue_delete(queue)
        for exchange in (EXCHANGE, DEAD, NEXT):
            self.channel.exchange_delete(exchange)

    def open(self):
        self.connection = connect()
        self.channel = self.connection.channel()
        self.channel.confirm_delivery()

    def publish(self, *bodies, key="a.b"):
        for body in bodies:
            self.channel.basic_publish(EXCHANGE, key, body, PERSISTENT, mandatory=True)

    def declare(self):
        self.channel.exchange_declare(EXCHANGE, "topic", durable=True)
        self.channel.exchange_declare(DEAD, "fanout", durable=True)
        self.channel.queue_declare(DEAD_QUEUE, durable=True)
        self.channel.queue_bind(DEAD_QUEUE, DEAD)
        arguments = {"x-dead-letter-exchange": DEAD, "x-max-length": 1000}
        self.channel.queue_declare(QUEUE, durable=True, arguments=arguments)
        self.channel.queue_bind(QUEUE, EXCHANGE, "a.*")
        again = self.channel.queue_declare(QUEUE, passive=True)
        expect((again.method.message_count, again.method.consumer_count), (0, 0))

    def publish_with_confirms(self):
        self.publish("one", "two", "three", "x" * 300_000)
        expect(self.channel.queue_declare(QUEUE, passive=True).method.message_count, 4)

    def return_mandatory(self):
        try:
            self.publish("nowhere", key="z")
        except UnroutableError as error:
            expect(error.messages[0].method.reply_code, 312)
            expect(error.messages[0].body, b"nowhere")
        else:
            raise AssertionError("nothing was returned")

    def consume_with_prefetch(self):
        self.channel.basic_qos(prefetch_count=2)
        seen = []

        def take(_channel, method, properties, body):
            seen.append((method.delivery_tag, len(body), properties.headers["deep"]["a"]))

        tag = self.channel.basic_consume(QUEUE, take)
        deadline = time.monotonic() + 0.3
        while time.monotonic() < deadline:
            self.connection.process_data_events(0.05)
        expect(seen, [(1, 3, [1, "two"]), (2, 3, [1, "two"])])
        self.channel.basic_ack(2, multiple=True)
        while len(seen) < 4:
            self.connection.process_data_events(1)
        expect(seen[3][1], 300_000)
        self.channel.basic_ack(seen[3][0], multiple=True)
        self.channel.basic_cancel(tag)
        expect(self.channel.queue_declare(QUEUE, passive=True).method.message_count, 0)

    def requeue(self):
        self.publish("again")
        method, _, _ = fetch(self.channel, QUEUE)
        expect(method.redelivered, False)
        self.channel.basic_nack(method.delivery_tag, requeue=True)
        method, _, body = fetch(self.channel, QUEUE)
        expect((method.redelivered, body), (True, b"again"))
        self.channel.basic_ack(method.delivery_tag)

    def dead_letter(self):
        self.publish("bad")
        method, _, _ = fetch(self.channel, QUEUE)
        self.channel.basic_nack(method.delivery_tag, requeue=False)
        method, properties, body = fetch(self.channel, DEAD_QUEUE)
        death = properties.headers["x-death"][0]
        expect(body, b"bad")
        expect((death["queue"], death["reason"], death["count"]), (QUEUE, "rejected", 1))
        expect(death["routing-keys"], ["a.b"])
        self.channel.basic_ack(method.delivery_tag)

    def commit_and_roll_back(self):
        channel = self.connection.channel()
        channel.queue_declare(TX_QUEUE, durable=True)
        channel.tx_select()
        channel.basic_publish("", TX_QUEUE, "taken back")
        channel.tx_rollback()
        channel.basic_publish("", TX_QUEUE, "kept")
        expect(channel.queue_declare(TX_QUEUE, passive=True).method.message_count, 0)
        channel.tx_commit()
        method, _, body = channel.basic_get(TX_QUEUE)
        expect(body, b"kept")
        channel.basic_ack(method.delivery_tag)
        channel.tx_rollback()
        channel.basic_recover(requeue=True)
        method, _, _ = channel.basic_get(TX_QUEUE)
        expect(method.redelivered, True)
        channel.basic_ack(method.delivery_tag)
        channel.tx_commit()
        expect(channel.queue_delete(TX_QUEUE).method.message_count, 0)
        channel.close()

    def bind_exchanges(self):
        self.channel.exchange_declare(NEXT, "direct", durable=True)
        self.channel.exchange_bind(EXCHANGE, NEXT, "a.next")
        self.channel.basic_publish(NEXT, "a.next", "through two", PERSISTENT, mandatory=True)
        method, _, body = fetch(self.channel, QUEUE)
        expect((method.exchange, body), (NEXT, b"through two"))
        self.channel.basic_ack(method.delivery_tag)
        self.channel.exchange_unbind(EXCHANGE, NEXT, "a.next")

    def consume_by_generator(self):
        self.publish("g1", "g2")
        bodies = []
        for method, _, body in self.channel.consume(QUEUE, inactivity_timeout=5):
            bodies.append(body)
            self.channel.basic_ack(method.delivery_tag)
            if len(bodies) == 2:
                break
        expect(self.channel.cancel(), 0)
        expect(bodies, [b"g1", b"g2"])

    def survive_channel_error(self):
        channel = self.connection.channel()
        try:
            channel.queue_declare("clients.pika.absent", passive=True)
        except ChannelClosedByBroker as error:
            expect(error.reply_code, 404)
        else:
            raise AssertionError("an absent queue was found")
        expect(self.connection.is_open, True)

    def reconnect_after_cut(self):
        self.publish("unacked")
        fetch(self.channel, QUEUE)
        # The socket, without a word of AMQP.
        self.connection._impl._transport._sock.shutdown(socket.SHUT_RDWR)
        try:
            self.connection.process_data_events(5)
        except AMQPConnectionError:
            pass
        self.open()
        method, _, body = fetch(self.channel, QUEUE)
        expect((method.redelivered, body), (True, b"unacked"))
        self.channel.basic_ack(method.delivery_tag)

    def go_on_after_restart(self):
        self.publish("kept")
        print("restart", flush=True)
        sys.stdin.readline()
        try:
            self.connection.process_data_events(5)
        except AMQPConnectionError:
            pass
        else:
            raise AssertionError("the connection outlived its broker")
        self.open()
        method, properties, body = fetch(self.channel, QUEUE)
        expect((body, properties.delivery_mode), (b"kept", 2))
        self.channel.basic_ack(method.delivery_tag)

    def delete(self):
        for queue in (QUEUE, DEAD_QUEUE):
            expect(self.channel.queue_delete(queue).method.message_count, 0)
        for exchange in (EXCHANGE, DEAD, NEXT):
            self.channel.exchange_delete(exchange)
        self.connection.close()


def main():
    trial = Trial()
    steps = [
        ("declare exchanges and a durable queue with a dead-letter exchange, bind", trial.declare),
        ("publish with confirms", trial.publish_with_confirms),
        ("get a mandatory message returned", trial.return_mandatory),
        ("consume with a prefetch of 2", trial.consume_with_prefetch),
        ("nack with requeue, and get it redelivered", trial.requeue),
        ("nack without requeue, and find it dead-lettered with x-death", trial.dead_letter),
        ("commit and roll back transactions", trial.commit_and_roll_back),
        ("route through a binding between exchanges", trial.bind_exchanges),
        ("consume by the generator", trial.consume_by_generator),
        ("go on after an error that closes a channel", trial.survive_channel_error),
        ("reconnect after a cut socket", trial.reconnect_after_cut),
        ("go on after a restart of the broker", trial.go_on_after_restart),
        ("delete queues and exchanges", trial.delete),
    ]
    for name, step in steps:
        if step == trial.go_on_after_restart and not RESTARTS:
            print(f"skipped {name}: this broker is not ours to restart", flush=True)
            continue
        try:
            step()
        except Exception as error:
            print(f"failed {name}: {error!r}", flush=True)
            raise
        print(f"ok {name}", flush=True)


main()
