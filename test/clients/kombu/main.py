"""What programs do with Kombu; one line per step on standard output."""

import os
import socket
import sys
import time

from kombu import Connection, Consumer, Exchange, Producer, Queue

RESTARTS = os.environ["AMQP_RESTARTS"] == "1"
DEAD = Exchange("clients.kombu.dead", "fanout")
WORK = Exchange("clients.kombu", "topic")
NEXT = Exchange("clients.kombu.next", "direct")
DEAD_QUEUE = Queue("clients.kombu.dead", DEAD)
QUEUE = Queue(
    "clients.kombu.work",
    WORK,
    "a.*",
    queue_arguments={"x-dead-letter-exchange": DEAD.name},
)
PRIORITIES = Queue("clients.kombu.priorities", max_priority=9)
SIMPLE = "clients.kombu.simple"


def expect(actual, expected):
    if actual != expected:
        raise AssertionError(f"{actual!r} instead of {expected!r}")


def fetch(queue):
    """A message that may be on its way between queues."""
    for _ in range(200):
        message = queue.get()
        if message is not None:
            return message
        time.sleep(0.02)
    raise AssertionError(f"no message in {queue.name}")


class Trial:
    def __init__(self):
        self.connection = Connection(
            os.environ["AMQP_URL"],
            heartbeat=10,
            transport_options={"confirm_publish": True},
        )
        self.open()
        for name in (QUEUE.name, DEAD_QUEUE.name, PRIORITIES.name, SIMPLE):
            self.channel.queue_delete(name)
        for exchange in (WORK, DEAD, NEXT):
            self.channel.exchange_delete(exchange.name)

    def open(self):
        self.connection.ensure_connection(max_retries=100, interval_start=0.1, interval_step=0)
        self.channel = self.connection.default_channel
        self.queue = QUEUE(self.channel)
        self.dead_queue = DEAD_QUEUE(self.channel)
        self.producer = Producer(self.channel, WORK, "a.b", serializer="json")

    def publish(self, *bodies):
        for body in bodies:
            self.producer.publish(body, headers={"n": 1}, retry=True)

    def declare(self):
        self.dead_queue.declare()
        self.queue.declare()
        expect(self.queue.queue_declare(passive=True).message_count, 0)

    def publish_with_confirms(self):
        self.publish({"n": 1}, {"n": 2}, {"n": 3})
        self.producer.publish({"n": 4}, compression="zlib", expiration=60)
        expect(self.queue.queue_declare(passive=True).message_count, 4)

    def return_mandatory(self):
        returned = []

        def note(error, exchange, key, message):
            returned.append((error.reply_code, exchange, key, message.body))

        producer = Producer(self.channel, WORK, on_return=note)
        producer.publish("nowhere", routing_key="z", mandatory=True)
        expect(returned, [(312, WORK.name, "z", "nowhere")])

    def consume_with_prefetch(self):
        seen = []

        def take(body, message):
            seen.append((body, message))

        consumer = Consumer(self.channel, [self.queue], callbacks=[take], prefetch_count=2)
        with consumer:
            try:
                while True:
                    self.connection.drain_events(timeout=0.3)
            except socket.timeout:
                expect([body for body, _ in seen], [{"n": 1}, {"n": 2}])
            while len(seen) < 4:
                for _, message in seen:
                    if not message.acknowledged:
                        message.ack()
                self.connection.drain_events(timeout=10)
            for _, message in seen:
                if not message.acknowledged:
                    message.ack()
        expect(seen[3][0], {"n": 4})
        expect(self.queue.queue_declare(passive=True).message_count, 0)

    def requeue(self):
        self.publish("again")
        message = fetch(self.queue)
        expect(message.delivery_info["redelivered"], False)
        message.requeue()
        message = fetch(self.queue)
        expect((message.delivery_info["redelivered"], message.payload), (True, "again"))
        message.ack()

    def dead_letter(self):
        self.publish("bad")
        fetch(self.queue).reject()
        message = fetch(self.dead_queue)
        death = message.headers["x-death"][0]
        expect(message.payload, "bad")
        expect((death["queue"], death["reason"], death["count"]), (QUEUE.name, "rejected", 1))
        message.ack()

    def prioritise(self):
        queue = PRIORITIES(self.channel)
        queue.declare()
        producer = Producer(self.channel)
        for priority in (1, 9, 5):
            producer.publish(priority, routing_key=queue.name, priority=priority)
        expect([queue.get(no_ack=True).payload for _ in range(3)], [9, 5, 1])
        queue.delete()

    def bind_exchanges(self):
        source = NEXT(self.channel)
        source.declare()
        WORK(self.channel).bind_to(source, "a.next")
        self.producer.publish("through two", exchange=source.name, routing_key="a.next")
        message = fetch(self.queue)
        expect((message.payload, message.delivery_info["exchange"]), ("through two", source.name))
        message.ack()
        source.delete()

    def use_simple_queue(self):
        with self.connection.SimpleQueue(SIMPLE) as queue:
            queue.put({"simple": True})
            message = queue.get(timeout=10)
            expect(message.payload, {"simple": True})
            message.ack()
            expect(queue.qsize(), 0)
        self.channel.queue_delete(SIMPLE)
        self.channel.exchange_delete(SIMPLE)

    def reconnect_after_cut(self):
        self.publish("unacked")
        fetch(self.queue)
        self.connection.connection.transport.sock.shutdown(socket.SHUT_RDWR)
        self.reopen_broken()
        message = fetch(self.queue)
        expect((message.delivery_info["redelivered"], message.payload), (True, "unacked"))
        message.ack()

    def go_on_after_restart(self):
        self.publish("kept")
        print("restart", flush=True)
        sys.stdin.readline()
        self.reopen_broken()
        message = fetch(self.queue)
        expect(message.payload, "kept")
        message.ack()

    def reopen_broken(self):
        try:
            self.connection.drain_events(timeout=5)
        except self.connection.recoverable_connection_errors:
            self.connection.close()
            self.open()
        else:
            raise AssertionError("the connection was not broken")

    def delete(self):
        for queue in (self.queue, self.dead_queue):
            expect(queue.delete(), 0)
        for exchange in (WORK, DEAD):
            exchange(self.channel).delete()
        self.connection.release()


def main():
    trial = Trial()
    steps = [
        ("declare exchanges and a durable queue with a dead-letter exchange, bind", trial.declare),
        ("publish with confirms", trial.publish_with_confirms),
        ("get a mandatory message returned", trial.return_mandatory),
        ("consume with a prefetch of 2", trial.consume_with_prefetch),
        ("requeue, and get it redelivered", trial.requeue),
        ("reject, and find it dead-lettered with x-death", trial.dead_letter),
        ("get the higher priorities first", trial.prioritise),
        ("route through a binding between exchanges", trial.bind_exchanges),
        ("use a SimpleQueue", trial.use_simple_queue),
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
