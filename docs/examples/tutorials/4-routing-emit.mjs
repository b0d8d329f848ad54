// Tutorial 4, routing: sends a line with its severity as the routing key.
//
//   node docs/examples/tutorials/4-routing-emit.mjs [severity] [line]
import { connect } from 'amqplib';

const severity = process.argv[2] ?? 'info';
const line = process.argv[3] ?? 'Hello World!';

const connection = await connect(process.env.AMQP_URL ?? 'amqp://localhost');
const channel = await connection.createChannel();
await channel.assertExchange('direct_logs', 'direct', { durable: false });
channel.publish('direct_logs', severity, Buffer.from(line));
console.log(`sent: ${severity}: ${line}`);
await channel.close();
await connection.close();
