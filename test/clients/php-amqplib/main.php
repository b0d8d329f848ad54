<?php
// What programs do with php-amqplib; one line per step on standard output.

declare(strict_types=1);

require 'PhpAmqpLib/autoload.php';

use PhpAmqpLib\Channel\AMQPChannel;
use PhpAmqpLib\Connection\AMQPStreamConnection;
use PhpAmqpLib\Exception\AMQPExceptionInterface;
use PhpAmqpLib\Exception\AMQPProtocolChannelException;
use PhpAmqpLib\Message\AMQPMessage;
use PhpAmqpLib\Wire\AMQPTable;

const EXCHANGE = 'clients.php';
const QUEUE = 'clients.php.work';
const DEAD = 'clients.php.dead';
const TX_QUEUE = 'clients.php.tx';

function expect(mixed $actual, mixed $expected): void
{
    if ($actual !== $expected) {
        throw new RuntimeException(json_encode($actual) . ' instead of ' . json_encode($expected));
    }
}

function connect(): AMQPStreamConnection
{
    $url = parse_url(getenv('AMQP_URL'));
    for ($attempt = 0; ; $attempt++) {
        try {
            return new AMQPStreamConnection($url['host'], $url['port'], $url['user'], $url['pass']);
        } catch (Exception $error) {
            if ($attempt === 99) {
                throw $error;
            }
            usleep(100_000);
        }
    }
}

final class Trial
{
    private AMQPStreamConnection $connection;
    private AMQPChannel $channel;

    public function __construct()
    {
        $this->open();
        foreach ([QUEUE, DEAD, TX_QUEUE] as $queue) {
            $this->channel->queue_delete($queue);
        }
        foreach ([EXCHANGE, DEAD] as $exchange) {
            $this->channel->exchange_delete($exchange);
        }
    }

    private function open(): void
    {
        $this->connection = connect();
        $this->channel = $this->connection->channel();
        $this->channel->confirm_select();
    }

    private function message(string $body): AMQPMessage
    {
        return new AMQPMessage($body, [
            'delivery_mode' => AMQPMessage::DELIVERY_MODE_PERSISTENT,
            'content_type' => 'text/plain',
            'application_headers' => new AMQPTable(['n' => 1, 'list' => [1, 'two'], 'flag' => true]),
        ]);
    }

    private function publish(string ...$bodies): void
    {
        foreach ($bodies as $body) {
            $this->channel->basic_publish($this->message($body), EXCHANGE, 'a.b', true);
        }
        $this->channel->wait_for_pending_acks_returns(20);
    }

    /** A message that may be on its way between queues. */
    private function fetch(string $queue): AMQPMessage
    {
        for ($attempt = 0; $attempt < 200; $attempt++) {
            $message = $this->channel->basic_get($queue);
            if ($message !== null) {
                return $message;
            }
            usleep(20_000);
        }
        throw new RuntimeException("no message in $queue");
    }

    private function count(string $queue): int
    {
        return $this->channel->queue_declare($queue, true)[1];
    }

    public function declare(): void
    {
        $this->channel->exchange_declare(EXCHANGE, 'topic', false, true, false);
        $this->channel->exchange_declare(DEAD, 'fanout', false, true, false);
        $this->channel->queue_declare(DEAD, false, true, false, false);
        $this->channel->queue_bind(DEAD, DEAD);
        $arguments = new AMQPTable(['x-dead-letter-exchange' => DEAD, 'x-max-length' => 1000]);
        $this->channel->queue_declare(QUEUE, false, true, false, false, false, $arguments);
        $this->channel->queue_bind(QUEUE, EXCHANGE, 'a.*');
        expect($this->channel->queue_declare(QUEUE, true), [QUEUE, 0, 0]);
    }

    public function publishWithConfirms(): void
    {
        $acked = [];
        $this->channel->set_ack_handler(function (AMQPMessage $message) use (&$acked) {
            $acked[] = $message->getBody();
        });
        $this->publish('one', 'two');
        expect($acked, ['one', 'two']);
        $this->channel->batch_basic_publish($this->message('three'), EXCHANGE, 'a.b');
        $this->channel->publish_batch();
        $this->channel->wait_for_pending_acks(20);
        expect($this->count(QUEUE), 3);
    }

    public function returnMandatory(): void
    {
        $returned = null;
        $this->channel->set_return_listener(
            function (int $code, string $text, $exchange, $key, AMQPMessage $message) use (&$returned) {
                $returned = [$code, $text, $message->getBody()];
            }
        );
        $this->channel->basic_publish($this->message('nowhere'), EXCHANGE, 'z', true);
        $this->channel->wait_for_pending_acks_returns(20);
        expect($returned, [312, 'NO_ROUTE', 'nowhere']);
    }

    public function consumeWithPrefetch(): void
    {
        $seen = [];
        $this->channel->basic_qos(0, 2, false);
        $tag = $this->channel->basic_consume(
            QUEUE,
            callback: function (AMQPMessage $message) use (&$seen) {
                $seen[] = $message;
            }
        );
        try {
            while (true) {
                $this->channel->wait(null, false, 0.3);
            }
        } catch (PhpAmqpLib\Exception\AMQPTimeoutException) {
            expect(array_map(fn ($message) => $message->getBody(), $seen), ['one', 'two']);
        }
        $headers = $seen[0]->get('application_headers')->getNativeData();
        expect($headers, ['n' => 1, 'list' => [1, 'two'], 'flag' => true]);
        $seen[1]->ack(true);
        while (count($seen) < 3) {
            $this->channel->wait(null, false, 20);
        }
        $seen[2]->ack();
        $this->channel->basic_cancel($tag);
        expect($this->count(QUEUE), 0);
    }

    public function requeue(): void
    {
        $this->publish('again');
        $message = $this->fetch(QUEUE);
        expect($message->isRedelivered(), false);
        $message->nack(true);
        $message = $this->fetch(QUEUE);
        expect([$message->isRedelivered(), $message->getBody()], [true, 'again']);
        $message->ack();
    }

    public function deadLetter(): void
    {
        $this->publish('bad');
        $this->fetch(QUEUE)->nack(false);
        $message = $this->fetch(DEAD);
        expect($message->getBody(), 'bad');
        $death = $message->get('application_headers')->getNativeData()['x-death'][0];
        expect([$death['queue'], $death['reason'], $death['count']], [QUEUE, 'rejected', 1]);
        expect($death['routing-keys'], ['a.b']);
        $message->ack();
    }

    public function commitAndRollBack(): void
    {
        $channel = $this->connection->channel();
        $channel->queue_declare(TX_QUEUE, false, true, false, false);
        $channel->tx_select();
        $channel->basic_publish($this->message('taken back'), '', TX_QUEUE);
        $channel->tx_rollback();
        $channel->basic_publish($this->message('kept'), '', TX_QUEUE);
        $channel->tx_commit();
        expect($channel->queue_delete(TX_QUEUE), 1);
        $channel->close();
    }

    public function raiseChannelError(): void
    {
        $channel = $this->connection->channel();
        try {
            $channel->queue_declare('clients.php.absent', true);
        } catch (AMQPProtocolChannelException $error) {
            expect($error->getCode(), 404);
            return;
        }
        throw new RuntimeException('an absent queue was found');
    }

    public function reconnectAfterCut(): void
    {
        $this->publish('unacked');
        $this->fetch(QUEUE);
        // The socket, without a word of AMQP.
        stream_socket_shutdown($this->connection->getIO()->getSocket(), STREAM_SHUT_RDWR);
        $this->reopenBroken();
        $message = $this->fetch(QUEUE);
        expect([$message->isRedelivered(), $message->getBody()], [true, 'unacked']);
        $message->ack();
    }

    public function goOnAfterRestart(): void
    {
        $this->publish('kept');
        echo "restart\n";
        fgets(STDIN);
        $this->reopenBroken();
        $message = $this->fetch(QUEUE);
        expect([$message->getBody(), $message->get('delivery_mode')], ['kept', 2]);
        $message->ack();
    }

    private function reopenBroken(): void
    {
        try {
            $this->channel->basic_get(QUEUE);
        } catch (AMQPExceptionInterface) {
            $this->open();
            return;
        }
        throw new RuntimeException('the connection was not broken');
    }

    public function delete(): void
    {
        foreach ([QUEUE, DEAD] as $queue) {
            expect($this->channel->queue_delete($queue), 0);
        }
        foreach ([EXCHANGE, DEAD] as $exchange) {
            $this->channel->exchange_delete($exchange);
        }
        $this->connection->close();
    }
}

$steps = [
    'declare' => 'declare exchanges and a durable queue with a dead-letter exchange, bind',
    'publishWithConfirms' => 'publish with confirms, one by one and as a batch',
    'returnMandatory' => 'get a mandatory message returned',
    'consumeWithPrefetch' => 'consume with a prefetch of 2',
    'requeue' => 'nack with requeue, and get it redelivered',
    'deadLetter' => 'nack without requeue, and find it dead-lettered with x-death',
    'commitAndRollBack' => 'commit and roll back transactions',
    'raiseChannelError' => 'get an exception for an error that closes a channel',
    'reconnectAfterCut' => 'reconnect after a cut socket',
    'goOnAfterRestart' => 'go on after a restart of the broker',
    'delete' => 'delete queues and exchanges',
];

$trial = new Trial();
foreach ($steps as $step => $name) {
    if ($step === 'goOnAfterRestart' && getenv('AMQP_RESTARTS') !== '1') {
        echo "skipped $name: this broker is not ours to restart\n";
        continue;
    }
    try {
        $trial->$step();
    } catch (Throwable $error) {
        echo "failed $name: {$error->getMessage()}\n";
        fwrite(STDERR, "$error\n");
        exit(1);
    }
    echo "ok $name\n";
}
