// What programs in Go read of the HTTP API: counts and sizes go into integers, which take neither a
// fraction nor an exponent.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"
)

// HTTP_URL names the HTTP API with its login.
var httpURL = os.Getenv("HTTP_URL")

type rate struct {
	Rate float64 `json:"rate"`
}

type totals struct {
	Messages       int64 `json:"messages"`
	Ready          int64 `json:"messages_ready"`
	Unacknowledged int64 `json:"messages_unacknowledged"`
}

type messageStats struct {
	Publish        int64 `json:"publish"`
	PublishDetails rate  `json:"publish_details"`
	Confirm        int64 `json:"confirm"`
	Deliver        int64 `json:"deliver"`
	DeliverGet     int64 `json:"deliver_get"`
	Ack            int64 `json:"ack"`
	Redeliver      int64 `json:"redeliver"`
	Get            int64 `json:"get"`
}

type overview struct {
	QueueTotals  totals       `json:"queue_totals"`
	MessageStats messageStats `json:"message_stats"`
	ObjectTotals struct {
		Consumers   int `json:"consumers"`
		Queues      int `json:"queues"`
		Exchanges   int `json:"exchanges"`
		Connections int `json:"connections"`
		Channels    int `json:"channels"`
	} `json:"object_totals"`
	Churn struct {
		ConnectionCreated uint64 `json:"connection_created"`
		ConnectionClosed  uint64 `json:"connection_closed"`
		ChannelCreated    uint64 `json:"channel_created"`
		QueueDeclared     uint64 `json:"queue_declared"`
		QueueDeleted      uint64 `json:"queue_deleted"`
	} `json:"churn_rates"`
}

type node struct {
	FdUsed            int    `json:"fd_used"`
	FdTotal           int    `json:"fd_total"`
	ProcUsed          int    `json:"proc_used"`
	ProcTotal         int    `json:"proc_total"`
	SocketsUsed       int    `json:"sockets_used"`
	SocketsTotal      int    `json:"sockets_total"`
	MemUsed           int    `json:"mem_used"`
	MemLimit          int    `json:"mem_limit"`
	DiskFree          int    `json:"disk_free"`
	DiskFreeLimit     int    `json:"disk_free_limit"`
	RunQueue          uint32 `json:"run_queue"`
	Processors        uint32 `json:"processors"`
	Uptime            uint64 `json:"uptime"`
	ConnectionCreated uint64 `json:"connection_created"`
	ChannelCreated    uint64 `json:"channel_created"`
	QueueCreated      uint64 `json:"queue_created"`
}

type queueInfo struct {
	totals
	Name              string       `json:"name"`
	Memory            int64        `json:"memory"`
	Consumers         int          `json:"consumers"`
	ActiveConsumers   int64        `json:"active_consumers"`
	Bytes             int64        `json:"message_bytes"`
	BytesReady        int64        `json:"message_bytes_ready"`
	BytesUnacked      int64        `json:"message_bytes_unacknowledged"`
	BytesPersistent   int64        `json:"message_bytes_persistent"`
	BytesInMemory     int64        `json:"message_bytes_ram"`
	Persistent        int          `json:"messages_persistent"`
	InMemory          int          `json:"messages_ram"`
	ConsumerUse       float64      `json:"consumer_utilisation"`
	MessagesDetails   rate         `json:"messages_details"`
	MessageStats      messageStats `json:"message_stats"`
	GarbageCollection struct {
		FullSweepAfter int `json:"fullsweep_after"`
		MinorGCs       int `json:"minor_gcs"`
	} `json:"garbage_collection"`
}

type connectionInfo struct {
	Channels    int    `json:"channels"`
	ChannelMax  int    `json:"channel_max"`
	Timeout     int    `json:"timeout"`
	FrameMax    int    `json:"frame_max"`
	PeerPort    int    `json:"peer_port"`
	RecvOct     uint64 `json:"recv_oct"`
	SendOct     uint64 `json:"send_oct"`
	RecvCount   uint64 `json:"recv_cnt"`
	SendCount   uint64 `json:"send_cnt"`
	SendPending uint64 `json:"send_pend"`
	ConnectedAt uint64 `json:"connected_at"`
}

// read decodes an answer; a number that is not an integer fails where an integer is expected.
func read(path string, into any) error {
	client := http.Client{Timeout: patience}
	answer, err := client.Get(httpURL + path)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", path, answer.Status)
	}
	if err := json.NewDecoder(answer.Body).Decode(into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// findQueue waits: RabbitMQ gathers what it shows every five seconds.
func findQueue() error {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		var queues []queueInfo
		if err := read("/api/queues", &queues); err != nil {
			return err
		}
		for _, each := range queues {
			if each.Name == queue && each.Messages == 1 && each.Bytes > 0 {
				return nil
			}
		}
	}
	return errors.New("/api/queues does not show the message")
}

func findConnection() error {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		var connections []connectionInfo
		if err := read("/api/connections", &connections); err != nil {
			return err
		}
		for _, each := range connections {
			if each.Channels > 0 && each.FrameMax > 0 && each.RecvOct > 0 && each.ConnectedAt > 0 {
				return nil
			}
		}
	}
	return errors.New("/api/connections does not show what a connection received")
}

func readNodes() error {
	var nodes []node
	if err := read("/api/nodes", &nodes); err != nil {
		return err
	}
	if len(nodes) == 0 || nodes[0].MemUsed <= 0 || nodes[0].MemLimit <= 0 || nodes[0].DiskFree <= 0 {
		return fmt.Errorf("/api/nodes: %+v", nodes)
	}
	return nil
}

// readIntegers reads the lists while a message is in the queue.
func (t *trial) readIntegers() error {
	return firstError(
		func() error { return t.publish("seen over HTTP") },
		findQueue,
		findConnection,
		readNodes,
		func() error {
			var all overview
			if err := read("/api/overview", &all); err != nil {
				return err
			}
			if all.ObjectTotals.Queues == 0 || all.ObjectTotals.Connections == 0 {
				return fmt.Errorf("/api/overview: %+v", all)
			}
			return nil
		},
		func() error { return t.fetchAndAck("seen over HTTP", false) },
	)
}
