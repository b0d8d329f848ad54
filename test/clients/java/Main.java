// What programs do with RabbitMQ's Java client; one line per step on standard output.

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.DefaultConsumer;
import com.rabbitmq.client.Delivery;
import com.rabbitmq.client.Envelope;
import com.rabbitmq.client.GetResponse;
import com.rabbitmq.client.MessageProperties;
import com.rabbitmq.client.Recoverable;
import com.rabbitmq.client.RecoveryListener;
import com.rabbitmq.client.RpcClient;
import com.rabbitmq.client.RpcServer;
import com.rabbitmq.client.ShutdownSignalException;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.Socket;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

public final class Main {
    private static final String EXCHANGE = "clients.java";
    private static final String QUEUE = "clients.java.work";
    private static final String DEAD = "clients.java.dead";
    private static final int PATIENCE_SECONDS = 20;

    private interface Step {
        void run() throws Exception;
    }

    private final Connection connection;
    private final Channel channel;
    private volatile Socket socket;
    private final BlockingQueue<String> seen = new LinkedBlockingQueue<>();

    private Main() throws Exception {
        ConnectionFactory factory = new ConnectionFactory();
        factory.setUri(System.getenv("AMQP_URL"));
        factory.setNetworkRecoveryInterval(200);
        factory.setSocketConfigurator(opened -> socket = opened);
        connection = factory.newConnection("clients");
        channel = connection.createChannel();
        clean();
    }

    private void clean() throws IOException {
        for (String queue : List.of(QUEUE, DEAD)) channel.queueDelete(queue);
        for (String exchange : List.of(EXCHANGE, DEAD)) channel.exchangeDelete(exchange);
    }

    private static void expect(Object actual, Object expected) {
        if (!Objects.equals(actual, expected)) {
            throw new AssertionError(actual + " instead of " + expected);
        }
    }

    private static <T> T take(BlockingQueue<T> queue) throws InterruptedException {
        T item = queue.poll(PATIENCE_SECONDS, TimeUnit.SECONDS);
        if (item == null) throw new AssertionError("nothing came");
        return item;
    }

    private void publish(String... bodies) throws Exception {
        for (String body : bodies) {
            channel.basicPublish(EXCHANGE, "a.b", true, properties(), body.getBytes());
        }
        channel.waitForConfirmsOrDie(PATIENCE_SECONDS * 1000L);
    }

    private static AMQP.BasicProperties properties() {
        Map<String, Object> headers = Map.of("n", 1L, "list", List.of(1, "two"));
        return MessageProperties.PERSISTENT_TEXT_PLAIN.builder().headers(headers).build();
    }

    /** A message that may be on its way between queues. */
    private GetResponse fetch(String queue) throws Exception {
        for (int attempt = 0; attempt < 200; attempt++) {
            GetResponse response = channel.basicGet(queue, false);
            if (response != null) return response;
            Thread.sleep(20);
        }
        throw new AssertionError("no message in " + queue);
    }

    private void declare() throws IOException {
        channel.exchangeDeclare(EXCHANGE, "topic", true);
        channel.exchangeDeclare(DEAD, "fanout", true);
        channel.queueDeclare(DEAD, true, false, false, null);
        channel.queueBind(DEAD, DEAD, "");
        Map<String, Object> arguments = Map.of("x-dead-letter-exchange", DEAD, "x-max-length", 1000);
        channel.queueDeclare(QUEUE, true, false, false, arguments);
        channel.queueBind(QUEUE, EXCHANGE, "a.*");
        expect(channel.queueDeclarePassive(QUEUE).getMessageCount(), 0);
    }

    private void publishWithConfirms() throws Exception {
        channel.confirmSelect();
        publish("one", "two", "three");
        expect(channel.messageCount(QUEUE), 3L);
    }

    private void returnMandatory() throws Exception {
        BlockingQueue<String> returned = new LinkedBlockingQueue<>();
        channel.addReturnListener(
                message -> returned.add(message.getReplyCode() + new String(message.getBody())));
        channel.basicPublish(EXCHANGE, "z", true, properties(), "nowhere".getBytes());
        channel.waitForConfirmsOrDie(PATIENCE_SECONDS * 1000L);
        expect(take(returned), "312nowhere");
    }

    private void consumeWithPrefetch() throws Exception {
        BlockingQueue<Delivery> deliveries = new LinkedBlockingQueue<>();
        channel.basicQos(2);
        String tag = channel.basicConsume(
                QUEUE, false, (consumer, delivery) -> deliveries.add(delivery), consumer -> {});
        Delivery first = take(deliveries);
        Delivery second = take(deliveries);
        expect(new String(first.getBody()) + new String(second.getBody()), "onetwo");
        expect(first.getProperties().getHeaders().get("n"), 1L);
        expect(deliveries.poll(200, TimeUnit.MILLISECONDS), null);
        channel.basicAck(second.getEnvelope().getDeliveryTag(), true);
        Delivery third = take(deliveries);
        expect(new String(third.getBody()), "three");
        channel.basicAck(third.getEnvelope().getDeliveryTag(), false);
        channel.basicCancel(tag);
        expect(channel.messageCount(QUEUE), 0L);
    }

    private void requeue() throws Exception {
        publish("again");
        Envelope envelope = fetch(QUEUE).getEnvelope();
        expect(envelope.isRedeliver(), false);
        channel.basicNack(envelope.getDeliveryTag(), false, true);
        GetResponse response = fetch(QUEUE);
        expect(response.getEnvelope().isRedeliver(), true);
        channel.basicAck(response.getEnvelope().getDeliveryTag(), false);
    }

    private void deadLetter() throws Exception {
        publish("bad");
        channel.basicNack(fetch(QUEUE).getEnvelope().getDeliveryTag(), false, false);
        GetResponse dead = fetch(DEAD);
        List<?> deaths = (List<?>) dead.getProps().getHeaders().get("x-death");
        Map<?, ?> death = (Map<?, ?>) deaths.get(0);
        expect(death.get("queue").toString(), QUEUE);
        expect(death.get("reason").toString(), "rejected");
        expect(death.get("count"), 1L);
        channel.basicAck(dead.getEnvelope().getDeliveryTag(), false);
    }

    /** The client's own classes for it, which use direct reply-to. */
    private void callProcedure() throws Exception {
        Channel serving = connection.createChannel();
        String queue = serving.queueDeclare().getQueue();
        RpcServer server = new RpcServer(serving, queue) {
            @Override
            public byte[] handleCall(byte[] body, AMQP.BasicProperties replyProperties) {
                return (new String(body) + "!").getBytes();
            }
        };
        Thread thread = new Thread(() -> {
            try {
                server.mainloop();
            } catch (IOException | ShutdownSignalException e) {
                // Its channel was closed.
            }
        });
        thread.setDaemon(true);
        thread.start();
        Channel calling = connection.createChannel();
        RpcClient client = new RpcClient(calling, "", queue, PATIENCE_SECONDS * 1000);
        expect(client.stringCall("hello"), "hello!");
        client.close();
        calling.close();
        server.terminateMainloop();
        serving.queueDelete(queue);
        serving.close();
    }

    private void raiseChannelError() throws Exception {
        Channel other = connection.createChannel();
        try {
            other.queueDeclarePassive("clients.java.absent");
        } catch (IOException error) {
            ShutdownSignalException signal = (ShutdownSignalException) error.getCause();
            expect(((AMQP.Channel.Close) signal.getReason()).getReplyCode(), 404);
            return;
        }
        throw new AssertionError("an absent queue was found");
    }

    private void recoverAfterCut() throws Exception {
        channel.basicConsume(QUEUE, false, new DefaultConsumer(channel) {
            @Override
            public void handleDelivery(String tag, Envelope envelope, AMQP.BasicProperties properties, byte[] body)
                    throws IOException {
                seen.add(new String(body));
                channel.basicAck(envelope.getDeliveryTag(), false);
            }
        });
        publish("before");
        expect(take(seen), "before");
        recovered(() -> socket.shutdownOutput());
        publish("after the cut");
        expect(take(seen), "after the cut");
    }

    private void goOnAfterRestart() throws Exception {
        recovered(() -> {
            System.out.println("restart");
            new BufferedReader(new InputStreamReader(System.in)).readLine();
        });
        publish("after the restart");
        expect(take(seen), "after the restart");
    }

    /** The client connects, declares and consumes anew before its listener hears of it. */
    private void recovered(Step cut) throws Exception {
        CountDownLatch done = new CountDownLatch(1);
        ((Recoverable) connection).addRecoveryListener(new RecoveryListener() {
            @Override
            public void handleRecovery(Recoverable recovered) {
                done.countDown();
            }

            @Override
            public void handleRecoveryStarted(Recoverable recovering) {}
        });
        cut.run();
        expect(done.await(PATIENCE_SECONDS, TimeUnit.SECONDS), true);
    }

    private String scratchQueue(Channel other, Map<String, Object> arguments) throws IOException {
        return other.queueDeclare("", false, true, true, arguments).getQueue();
    }

    private static void send(Channel other, String exchange, String key, String... bodies) throws Exception {
        for (String body : bodies) other.basicPublish(exchange, key, null, body.getBytes());
    }

    /** Three queues with 100 messages each have about the same share of a prefetch of one for the channel. */
    private void shareChannelPrefetch() throws Exception {
        Channel other = connection.createChannel();
        other.basicQos(1, true);
        other.confirmSelect();
        List<String> queues = List.of(
                scratchQueue(other, null), scratchQueue(other, null), scratchQueue(other, null));
        for (String queue : queues) for (int n = 0; n < 100; n++) send(other, "", queue, queue);
        other.waitForConfirmsOrDie(PATIENCE_SECONDS * 1000L);
        BlockingQueue<Delivery> deliveries = new LinkedBlockingQueue<>();
        for (String queue : queues) {
            other.basicConsume(queue, false, (tag, delivery) -> deliveries.add(delivery), tag -> {});
        }
        Map<String, Integer> counts = new HashMap<>();
        for (int n = 0; n < 150; n++) {
            Delivery delivery = take(deliveries);
            counts.merge(new String(delivery.getBody()), 1, Integer::sum);
            other.basicAck(delivery.getEnvelope().getDeliveryTag(), false);
        }
        for (String queue : queues) {
            int count = counts.getOrDefault(queue, 0);
            if (count < 25) throw new AssertionError("shares of 150: " + counts.values());
        }
        other.close();
    }

    /** A consumer without acks waits as the others while the prefetch of the channel is used up. */
    private void holdNoAckConsumer() throws Exception {
        Channel other = connection.createChannel();
        other.basicQos(1, true);
        String acked = scratchQueue(other, null);
        String noAck = scratchQueue(other, null);
        BlockingQueue<Delivery> first = new LinkedBlockingQueue<>();
        BlockingQueue<Delivery> second = new LinkedBlockingQueue<>();
        other.basicConsume(acked, false, (tag, delivery) -> first.add(delivery), tag -> {});
        send(other, "", acked, "held");
        long tag = take(first).getEnvelope().getDeliveryTag();
        other.basicConsume(noAck, true, (consumer, delivery) -> second.add(delivery), consumer -> {});
        send(other, "", noAck, "behind it");
        expect(second.poll(300, TimeUnit.MILLISECONDS), null);
        other.basicAck(tag, false);
        expect(new String(take(second).getBody()), "behind it");
        other.close();
    }

    /** What is requeued into a full queue counts at once: the oldest goes. */
    private void requeueIntoFullQueue() throws Exception {
        Channel other = connection.createChannel();
        String queue = scratchQueue(other, Map.of("x-max-length", 2));
        other.confirmSelect();
        send(other, "", queue, "1", "2");
        other.waitForConfirmsOrDie(PATIENCE_SECONDS * 1000L);
        GetResponse first = other.basicGet(queue, false);
        send(other, "", queue, "3");
        other.waitForConfirmsOrDie(PATIENCE_SECONDS * 1000L);
        other.basicNack(first.getEnvelope().getDeliveryTag(), false, true);
        expect(new String(other.basicGet(queue, true).getBody()), "2");
        expect(new String(other.basicGet(queue, true).getBody()), "3");
        expect(other.basicGet(queue, true), null);
        other.close();
    }

    /** A message that a consumer waits for is not for a get that comes right behind it. */
    private void getBesideWaitingConsumer() throws Exception {
        Channel other = connection.createChannel();
        Channel getting = connection.createChannel();
        String queue = scratchQueue(other, null);
        BlockingQueue<Delivery> deliveries = new LinkedBlockingQueue<>();
        other.basicConsume(queue, true, (tag, delivery) -> deliveries.add(delivery), tag -> {});
        for (int n = 0; n < 200; n++) {
            send(getting, "", queue, "for the consumer");
            expect(getting.basicGet(queue, true), null);
            take(deliveries);
        }
        getting.close();
        other.close();
    }

    /** Line breaks in names count for nothing. */
    private void stripLineBreaks() throws Exception {
        Channel other = connection.createChannel();
        String name = "clients.java.lines";
        other.exchangeDeclare("clients\r\n.java.\nlines", "fanout", false, true, null);
        other.queueDeclare("clients.java\r.lines\n", false, true, true, null);
        other.exchangeDeclarePassive(name);
        other.queueDeclarePassive(name);
        other.queueBind(name, name, "");
        other.queueDelete(name);
        other.exchangeDelete(name);
        other.close();
    }

    private void delete() throws Exception {
        clean();
        connection.close();
    }

    private static void take(String name, Step step) {
        try {
            step.run();
            System.out.println("ok " + name);
        } catch (Throwable error) {
            System.out.println("failed " + name + ": " + error);
            error.printStackTrace();
            System.exit(1);
        }
    }

    public static void main(String[] arguments) throws Exception {
        Main trial = new Main();
        take("declare exchanges and a durable queue with a dead-letter exchange, bind", trial::declare);
        take("publish with confirms", trial::publishWithConfirms);
        take("get a mandatory message returned", trial::returnMandatory);
        take("consume with a prefetch of 2", trial::consumeWithPrefetch);
        take("nack with requeue, and get it redelivered", trial::requeue);
        take("nack without requeue, and find it dead-lettered with x-death", trial::deadLetter);
        take("call a procedure with RpcClient and RpcServer", trial::callProcedure);
        take("get an exception for an error that closes a channel", trial::raiseChannelError);
        take("recover connection, topology and consumer after a cut socket", trial::recoverAfterCut);
        String restart = "recover all of it after a restart of the broker";
        if (System.getenv("AMQP_RESTARTS").equals("1")) take(restart, trial::goOnAfterRestart);
        else System.out.println("skipped " + restart + ": this broker is not ours to restart");
        take("share the prefetch of a channel between three queues", trial::shareChannelPrefetch);
        take("hold a consumer without acks while the channel's prefetch is used up", trial::holdNoAckConsumer);
        take("requeue into a queue that is full", trial::requeueIntoFullQueue);
        take("get beside a consumer that waits", trial::getBesideWaitingConsumer);
        take("declare names with line breaks in them", trial::stripLineBreaks);
        take("delete queues and exchanges", trial::delete);
    }
}
