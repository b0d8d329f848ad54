#!/bin/bash
# What shell scripts do with the programs of librabbitmq's amqp-tools; one line per step on standard
# output. They do not know confirms: what is published is seen to have arrived by getting it.
set -u

name=clients.tools
work=$name.work
dead=$name.dead

run() { local tool=$1; shift; timeout 20 "$tool" --url="$AMQP_URL" "$@"; }

expect() {
  [[ $1 == "$2" ]] || { echo "'$1' instead of '$2'" >&2; return 1; }
}

# A message that may be on its way still.
fetch() {
  for _ in {1..100}; do
    run amqp-get -q "$1" 2>>"$SCRATCH/empty" && return 0
    sleep 0.05
  done
  echo "no message in $1" >&2
  return 1
}

step() {
  local said
  if said=$("$2" 2>&1 >"$SCRATCH/out"); then
    echo "ok $1"
  else
    echo "failed $1: ${said//$'\n'/ }"
    exit 1
  fi
}

clean() {
  run amqp-declare-queue -d -q $work && run amqp-delete-queue -q $work
}

declare_queue() {
  expect "$(run amqp-declare-queue -d -q $work)" $work &&
    expect "$(run amqp-declare-queue -d -q $work)" $work
}

refuse_other_properties() {
  local said
  said=$(run amqp-declare-queue -q $work 2>&1) && return 1
  [[ $said == *PRECONDITION_FAILED* ]] || { echo "$said" >&2; return 1; }
}

publish_and_get() {
  run amqp-publish -r $work -p -C text/plain -b 'one' &&
    expect "$(fetch $work)" one
}

publish_lines() {
  printf 'l1\nl2\nl3\n' | run amqp-publish -r $work -p -l &&
    expect "$(run amqp-consume -q $work -c 3 -p 1 cat)" $'l1\nl2\nl3'
}

publish_large() {
  head -c 400000 /dev/zero | tr '\0' x | run amqp-publish -r $work -p &&
    expect "$(fetch $work | wc -c)" 400000
}

# amqp-consume does not ack what its command fails at.
requeue() {
  run amqp-publish -r $work -p -b 'again' || return 1
  run amqp-consume -q $work -c 1 -p 1 false
  expect "$(fetch $work)" again
}

consume_from_exchange() {
  run amqp-consume -e amq.topic -r 'tools.*' -c 1 cat >"$SCRATCH/heard" &
  local consumer=$!
  for _ in {1..100}; do
    run amqp-publish -e amq.topic -r tools.x -b 'heard'
    kill -0 $consumer 2>>"$SCRATCH/gone" || break
    sleep 0.05
  done
  wait $consumer && expect "$(cat "$SCRATCH/heard")" heard
}

go_on_after_restart() {
  run amqp-publish -r $work -p -b 'kept'
}

kept_over_restart() {
  expect "$(fetch $work)" kept
}

get_from_empty_queue() {
  run amqp-get -q $work
  expect $? 2
}

delete_queue() {
  run amqp-publish -r $work -p -b 'left' && fetch $work >"$SCRATCH/left" &&
    expect "$(run amqp-delete-queue -q $work)" 0 &&
    ! run amqp-get -q $work 2>"$SCRATCH/absent" &&
    grep -q NOT_FOUND "$SCRATCH/absent"
}

clean >"$SCRATCH/cleaned" 2>&1

step 'declare a durable queue, twice' declare_queue
step 'be refused a queue with other properties' refuse_other_properties
step 'publish, get and ack' publish_and_get
step 'publish lines, and consume them with a prefetch of 1' publish_lines
step 'publish 400 kB over several frames' publish_large
step 'get back what was not acked' requeue
step 'consume from an exchange through a queue of its own' consume_from_exchange
after='get after a restart what was published before'
if [[ $AMQP_RESTARTS == 1 ]]; then
  step 'publish before a restart of the broker' go_on_after_restart
  echo restart
  read -r _
  step "$after" kept_over_restart
else
  echo "skipped $after: this broker is not ours to restart"
fi
step 'be told that a queue is empty' get_from_empty_queue
step 'delete the queue' delete_queue
echo 'skipped confirms, bindings and dead-lettering: amqp-tools have no options for them'
