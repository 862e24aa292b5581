from gateway.tests.redis.fixtures import redis_server

__all__ = ["redis_server"]
