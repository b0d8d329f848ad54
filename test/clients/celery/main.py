"""What programs do with Celery, whose worker runs beside; one line per step on standard output."""

import os
import subprocess
import sys
import time
from contextlib import contextmanager

import tasks
from celery import group

RESTARTS = os.environ["AMQP_RESTARTS"] == "1"
SCRATCH = os.environ["SCRATCH"]
LOG = os.path.join(SCRATCH, "worker.log")
PATIENCE = 60


def expect(actual, expected):
    if actual != expected:
        raise AssertionError(f"{actual!r} instead of {expected!r}")


@contextmanager
def worker(**env):
    """A process with two processes of its own for tasks."""
    command = [sys.executable, "-m", "celery", "-A", "tasks", "worker"]
    options = ["-P", "prefork", "-c", "2", "-n", "trial@localhost", "-l", "INFO"]
    with open(LOG, "a") as log:
        process = subprocess.Popen(
            command + options, env={**os.environ, **env}, stdout=log, stderr=log
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def ping():
    """Answers of the worker; it may not listen yet."""
    for _ in range(PATIENCE):
        answers = tasks.app.control.ping(timeout=1)
        if answers:
            return answers
    raise AssertionError("no worker answers")


def clean(with_exchanges=False):
    with tasks.app.connection_for_write() as connection:
        channel = connection.default_channel
        left = [channel.queue_delete(name) for name in (tasks.QUEUE.name, tasks.DEAD_QUEUE.name)]
        for exchange in ("celery.pidbox", "reply.celery.pidbox", "celeryev"):
            if with_exchanges:
                channel.exchange_delete(exchange)
        for exchange in (tasks.QUEUE.exchange, tasks.DEAD):
            channel.exchange_delete(exchange.name)
        tasks.DEAD_QUEUE(channel).declare()
    return left


def start():
    clean()


def answer_ping():
    expect(ping(), [{"trial@localhost": {"ok": "pong"}}])
    queues = tasks.app.control.inspect(timeout=5).active_queues()["trial@localhost"]
    expect([queue["name"] for queue in queues], [tasks.QUEUE.name])


def run_tasks():
    results = [tasks.add.delay(n, n) for n in range(50)]
    expect([result.get(timeout=PATIENCE) for result in results], [n + n for n in range(50)])


def report_failure():
    try:
        tasks.fail.delay().get(timeout=PATIENCE)
    except ValueError as error:
        expect(str(error), "on purpose")
    else:
        raise AssertionError("the failure was not reported")


def retry():
    expect(tasks.succeed_at_third_try.delay().get(timeout=PATIENCE), 2)


def wait_for_countdown():
    sent = time.time()
    ran = tasks.now.apply_async(countdown=1).get(timeout=PATIENCE)
    if ran - sent < 0.99:
        raise AssertionError(f"run after {ran - sent} s")


def run_group():
    result = group(tasks.add.s(n, 1) for n in range(10)).apply_async()
    expect(result.get(timeout=PATIENCE), list(range(1, 11)))


def run_chain():
    result = (tasks.add.s(1, 2) | tasks.add.s(3) | tasks.add.s(4)).apply_async()
    expect(result.get(timeout=PATIENCE), 10)


def ack_late():
    result = tasks.kill_first_process.delay()
    expect(result.get(timeout=PATIENCE), "redelivered")


def dead_letter():
    tasks.refuse.delay()
    with tasks.app.connection_for_read() as connection:
        queue = tasks.DEAD_QUEUE(connection.default_channel)
        for _ in range(500):
            message = queue.get()
            if message is not None:
                break
            time.sleep(0.02)
        else:
            raise AssertionError("no dead letter")
        expect(message.headers["task"], "tasks.refuse")
        death = message.headers["x-death"][0]
        expect((death["queue"], death["reason"]), (tasks.QUEUE.name, "rejected"))
        message.ack()


def revoke():
    result = tasks.now.apply_async(countdown=3600)
    for _ in range(100):
        scheduled = tasks.app.control.inspect(timeout=1).scheduled() or {}
        if any(entry["request"]["id"] == result.id for entry in scheduled.get("trial@localhost", [])):
            break
    else:
        raise AssertionError("the task is not scheduled")
    answers = tasks.app.control.revoke(result.id, reply=True, timeout=10)
    expect("ok" in answers[0]["trial@localhost"], True)


def hear_events():
    seen = []
    results = []
    with tasks.app.connection_for_read() as connection:

        def note(event):
            seen.append(event["type"])
            if not results:
                # The first is a heartbeat of the worker: what it does from here on will be heard.
                results.append(tasks.add.delay(1, 1))
            receiver.should_stop = event["type"] == "task-succeeded"

        receiver = tasks.app.events.Receiver(connection, handlers={"*": note})
        receiver.capture(limit=None, timeout=PATIENCE)
    expect(results[0].get(timeout=PATIENCE), 2)
    expect("task-received" in seen and "task-succeeded" in seen, True)


def reconnect_worker_after_cut():
    tasks.app.control.broadcast("cut")
    expect(tasks.add.delay(20, 1).get(timeout=PATIENCE), 21)
    ping()


def call(expression, **env):
    """What a caller prints that has just started."""
    caller = subprocess.run(
        [sys.executable, "-c", f"import tasks, celery; print({expression})"],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
    )
    sys.stderr.write(caller.stderr)
    return caller.stdout.strip()


def go_on_after_restart():
    """The worker reconnects by itself; the caller's queue for results went with its connection."""
    scheduled = tasks.sleep.apply_async((0,), countdown=3600)
    print("restart", flush=True)
    sys.stdin.readline()
    expect(call("tasks.add.delay(20, 2).get(timeout=60)"), "22")
    expect(call("tasks.app.control.ping(timeout=10, limit=1)"), "[{'trial@localhost': {'ok': 'pong'}}]")
    # Unacked when the broker stopped, and delivered again.
    answer = call("tasks.app.control.inspect(timeout=5).scheduled()")
    expect(scheduled.id in answer, True)


def run_chord():
    """rpc:// has no chords, so the results lie in files; what unlocks it is a task that is retried."""
    results = os.path.join(SCRATCH, "results")
    os.makedirs(results)
    backend = {"CELERY_BACKEND": f"file://{results}"}
    with worker(**backend):
        sums = "celery.chord([tasks.add.s(n, 1) for n in range(10)])(tasks.total.s())"
        expect(call(f"{sums}.get(timeout=60)", **backend), "55")


def delete():
    # A worker gives back at its end what waits for its time.
    expect(clean(with_exchanges=True), [1 if RESTARTS else 0, 0])
    with tasks.app.connection_for_write() as connection:
        connection.default_channel.queue_delete(tasks.DEAD_QUEUE.name)
        connection.default_channel.exchange_delete(tasks.DEAD.name)


def take(name, step):
    if step == go_on_after_restart and not RESTARTS:
        print(f"skipped {name}: this broker is not ours to restart", flush=True)
        return
    try:
        step()
    except Exception as error:
        print(f"failed {name}: {error!r}", flush=True)
        with open(LOG) as log:
            sys.stderr.write("".join(log.readlines()[-40:]))
        raise
    print(f"ok {name}", flush=True)


def main():
    take("declare the queue for dead letters", start)
    with worker():
        take("find the worker by a ping, and ask for its queues", answer_ping)
        take("run 50 tasks, with results over rpc://", run_tasks)
        take("get the exception of a failing task", report_failure)
        take("retry a task twice", retry)
        take("run a task after a countdown", wait_for_countdown)
        take("run a group", run_group)
        take("run a chain", run_chain)
        take("run a task again whose process was killed (acks_late)", ack_late)
        take("reject a task, and find it dead-lettered", dead_letter)
        take("revoke a task that waits for its time", revoke)
        take("hear the events of tasks", hear_events)
        take("go on after the worker's socket was cut", reconnect_worker_after_cut)
        take("go on after a restart of the broker", go_on_after_restart)
    take("run a chord, with results in files", run_chord)
    take("delete queues and exchanges", delete)


main()
