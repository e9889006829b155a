//! keepalived-redis.
