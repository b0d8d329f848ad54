# What programs do with Bunny; one line per step on standard output.

require 'bunny'
require 'logger'

URL = ENV.fetch('AMQP_URL')
RESTARTS = ENV.fetch('AMQP_RESTARTS') == '1'
EXCHANGE = 'clients.bunny'
QUEUE = 'clients.bunny.work'
DEAD = 'clients.bunny.dead'

$stdout.sync = true

def expect(actual, expected)
  raise "#{actual.inspect} instead of #{expected.inspect}" unless actual == expected
end

def wait_until(what)
  1000.times do
    result = yield
    return result if result
    sleep 0.02
  end
  raise "waited in vain for #{what}"
end

def fetch(queue)
  wait_until("a message in #{queue.name}") do
    delivery, properties, body = queue.pop(manual_ack: true)
    delivery && [delivery, properties, body]
  end
end

# One connection that recovers by itself, as Bunny's do unless told otherwise.
class Trial
  def initialize
    @connection = Bunny.new(URL, recover_from_connection_close: true, network_recovery_interval: 0.2,
                                 log_file: $stderr, log_level: Logger::ERROR)
    @connection.start
    @channel = @connection.create_channel
    [QUEUE, DEAD].each { |name| @channel.queue_delete(name) }
    [EXCHANGE, DEAD].each { |name| @channel.exchange_delete(name) }
  end

  def declare
    @exchange = @channel.topic(EXCHANGE, durable: true)
    @dead = @channel.queue(DEAD, durable: true).bind(@channel.fanout(DEAD, durable: true))
    arguments = { 'x-dead-letter-exchange' => DEAD }
    @queue = @channel.queue(QUEUE, durable: true, arguments: arguments).bind(@exchange, routing_key: 'a.*')
    expect(@connection.queue_exists?(QUEUE), true)
    expect(@connection.queue_exists?('clients.bunny.absent'), false)
  end

  def publish(*bodies)
    bodies.each do |body|
      @exchange.publish(body, routing_key: 'a.b', persistent: true, headers: { 'n' => 1, 'list' => [1, 'two'] })
    end
    expect(@channel.wait_for_confirms, true)
  end

  def publish_with_confirms
    @channel.confirm_select
    publish('one', 'two', 'three')
    expect(@channel.unconfirmed_set.empty?, true)
    expect(@queue.message_count, 3)
  end

  def return_mandatory
    returned = ::Queue.new
    @exchange.on_return { |info, _, body| returned << [info.reply_code, info.reply_text, body] }
    @exchange.publish('nowhere', routing_key: 'z', mandatory: true)
    expect(returned.pop, [312, 'NO_ROUTE', 'nowhere'])
  end

  def consume_with_prefetch
    @channel.prefetch(2)
    seen = ::Queue.new
    consumer = @queue.subscribe(manual_ack: true) do |delivery, properties, body|
      seen << [delivery.delivery_tag, properties.headers['list'], body]
    end
    first = [seen.pop, seen.pop]
    expect(first.map(&:last), %w[one two])
    expect(first[0][1], [1, 'two'])
    sleep 0.2
    expect(seen.empty?, true)
    @channel.ack(first.last.first, true)
    tag, _, body = seen.pop
    expect(body, 'three')
    @channel.ack(tag)
    consumer.cancel
    expect(@queue.message_count, 0)
  end

  def requeue
    publish('again')
    delivery, = fetch(@queue)
    expect(delivery.redelivered?, false)
    @channel.nack(delivery.delivery_tag, false, true)
    delivery, _, body = fetch(@queue)
    expect([delivery.redelivered?, body], [true, 'again'])
    @channel.ack(delivery.delivery_tag)
  end

  def dead_letter
    publish('bad')
    delivery, = fetch(@queue)
    @channel.nack(delivery.delivery_tag, false, false)
    delivery, properties, body = fetch(@dead)
    death = properties.headers['x-death'].first
    expect(body, 'bad')
    expect(death.values_at('queue', 'reason', 'count', 'routing-keys'), [QUEUE, 'rejected', 1, ['a.b']])
    @channel.ack(delivery.delivery_tag)
  end

  def raise_channel_error
    channel = @connection.create_channel
    channel.queue_declare(QUEUE, durable: false)
    raise 'a queue was redeclared with other properties'
  rescue Bunny::PreconditionFailed => e
    expect(e.message.start_with?('PRECONDITION_FAILED'), true)
  end

  def recover_consumer
    @seen = ::Queue.new
    @queue.subscribe(manual_ack: true) do |delivery, _, body|
      @seen << body
      @channel.ack(delivery.delivery_tag)
    end
    publish('before')
    expect(@seen.pop, 'before')
    recovered do
      @connection.transport.socket.shutdown
    end
    publish('after the cut')
    expect(@seen.pop, 'after the cut')
  end

  def go_on_after_restart
    recovered do
      puts 'restart'
      $stdin.gets
    end
    publish('after the restart')
    expect(@seen.pop, 'after the restart')
  end

  def delete
    [@queue, @dead].each { |queue| expect(queue.delete.message_count, 0) }
    [EXCHANGE, DEAD].each { |name| @channel.exchange_delete(name) }
    @connection.close
    expect(@connection.closed?, true)
  end

  private

  # Bunny declares, binds and consumes anew before it calls this back.
  def recovered
    done = ::Queue.new
    @connection.after_recovery_completed { done << true }
    yield
    done.pop
  end
end

STEPS = {
  declare: 'declare exchanges and a durable queue with a dead-letter exchange, bind',
  publish_with_confirms: 'publish with confirms',
  return_mandatory: 'get a mandatory message returned',
  consume_with_prefetch: 'consume with a prefetch of 2',
  requeue: 'nack with requeue, and get it redelivered',
  dead_letter: 'nack without requeue, and find it dead-lettered with x-death',
  raise_channel_error: 'get an exception for an error that closes a channel',
  recover_consumer: 'recover connection, topology and consumer after a cut socket',
  go_on_after_restart: 'recover all of it after a restart of the broker',
  delete: 'delete queues and exchanges'
}.freeze

trial = Trial.new
STEPS.each do |step, name|
  if step == :go_on_after_restart && !RESTARTS
    puts "skipped #{name}: this broker is not ours to restart"
    next
  end
  begin
    trial.public_send(step)
  rescue StandardError => e
    puts "failed #{name}: #{e.class} #{e.message}"
    raise
  end
  puts "ok #{name}"
end
