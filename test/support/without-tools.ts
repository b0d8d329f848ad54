// Owns what keeps a broker of the tests from opening the ports of tools, of which there is one each on
// a machine, and from reading the files that a RabbitMQ beside it has. Never for tests of these.

/** Variables for the environment of a broker. */
export const WITHOUT_TOOLS = {
  LEVERET_MANAGEMENT_TCP_PORT: 'none',
  LEVERET_PROMETHEUS_TCP_PORT: 'none',
  LEVERET_CONFIG_ROOT: '/nonexistent',
  LEVERET_IN_CONTAINER: 'false',
};
