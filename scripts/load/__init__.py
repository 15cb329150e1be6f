"""What the load test, the benchmarks and the chaos share: clients, the processes that they run in,
and the servers that are started for them."""
