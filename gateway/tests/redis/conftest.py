from gateway.tests.redis.fixtures import redis_cluster, redis_server, valkey_server

__all__ = ["redis_cluster", "redis_server", "valkey_server"]
