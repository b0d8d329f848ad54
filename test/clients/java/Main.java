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
        take("delete queues and exchanges", trial::delete);
    }
}
