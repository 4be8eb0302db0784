"""How the world is reached: PostgreSQL, NATS, Valkey, feeds, embedded servers, telemetry."""
