// A worker as there are many: what fails it puts back, and gets it again at once, for ever. One poison message keeps it
// busy. It stays as it is; a policy alone calms it:
//
//	leveret policy set calm '^example\.poison$' '{"delivery-limit": 5, "delayed-retry-min": 1000,
//	  "dead-letter-exchange": "", "dead-letter-routing-key": "example.poison.dead"}'
//
//	jobs -> [example.poison] -> worker: acks, or puts back
//	          ^      |   +-- waits for 1 s, 2 s, ... <--+
//	          |      +-- after five returns --> [example.poison.dead]
//	          +--------- leveret redrive -----------------+
//
//	go mod init example && go get github.com/rabbitmq/amqp091-go && go run poison.go
package main

import (
	"fmt"
	"log"
	"os"

	amqp "github.com/rabbitmq/amqp091-go"
)

const queue = "example.poison"

func main() {
	url := os.Getenv("AMQP_URL")
	if url == "" {
		url = "amqp://guest:guest@localhost:5672/"
	}
	connection, err := amqp.Dial(url)
	check(err)
	channel, err := connection.Channel()
	check(err)
	_, err = channel.QueueDeclare(queue, true, false, false, false, nil)
	check(err)
	check(channel.Qos(1, 0, false))
	jobs, err := channel.Consume(queue, "", false, false, false, false, nil)
	check(err)
	fmt.Println("waiting for jobs")
	failures := 0
	for job := range jobs {
		if string(job.Body) != "poison" {
			fmt.Printf("done: %s\n", job.Body)
			check(job.Ack(false))
			continue
		}
		failures++
		if failures%1000 == 0 {
			fmt.Printf("failed %d times\n", failures)
		}
		check(job.Nack(false, true))
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
