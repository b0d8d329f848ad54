"""The application that worker and caller share: its settings and its tasks."""

import os
import signal
import socket
import time

from celery import Celery
from celery.exceptions import Reject
from celery.worker.control import control_command
from kombu import Exchange, Queue

DEAD = Exchange("clients.celery.dead", "fanout")
DEAD_QUEUE = Queue("clients.celery.dead", DEAD)
QUEUE = Queue(
    "clients.celery",
    Exchange("clients.celery", "direct"),
    "clients.celery",
    queue_arguments={"x-dead-letter-exchange": DEAD.name},
    max_priority=9,
)


def make_app():
    return Celery(
        "tasks",
        broker=os.environ["AMQP_URL"],
        backend=os.environ.get("CELERY_BACKEND", "rpc://"),
        task_queues=[QUEUE],
        task_default_queue=QUEUE.name,
        task_default_exchange=QUEUE.exchange.name,
        task_default_routing_key=QUEUE.routing_key,
        task_default_priority=1,
        worker_prefetch_multiplier=2,
        worker_send_task_events=True,
        task_send_sent_event=True,
        broker_transport_options={"confirm_publish": True},
        result_persistent=False,
    )


app = make_app()


@app.task
def add(a, b):
    return a + b


@app.task
def total(numbers):
    return sum(numbers)


@app.task
def now():
    return time.time()


@app.task(bind=True, max_retries=3)
def succeed_at_third_try(self):
    if self.request.retries < 2:
        raise self.retry(countdown=0.2)
    return self.request.retries


@app.task
def fail():
    raise ValueError("on purpose")


@app.task(bind=True, acks_late=True, reject_on_worker_lost=True)
def kill_first_process(self):
    if not self.request.delivery_info["redelivered"]:
        os.kill(os.getpid(), signal.SIGKILL)
    return "redelivered"


@app.task(bind=True, acks_late=True)
def refuse(self):
    raise Reject("bad", requeue=False)


@app.task
def sleep(seconds):
    time.sleep(seconds)


@control_command()
def cut(state):
    """The worker's own socket, without a word of AMQP."""
    state.consumer.connection.connection.transport.sock.shutdown(socket.SHUT_RDWR)
