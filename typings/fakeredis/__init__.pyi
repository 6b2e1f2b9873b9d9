import redis

class FakeRedis(redis.Redis):
    def __init__(self) -> None: ...
