"""Pulsar's own Python client with classes generated from the contract, as another team might write it.

  client.py publish SERVICE_URL TOPIC          one Event, of a Batch with one PutObject
  client.py read SERVICE_URL TOPIC SUBSCRIPTION    one message; prints what it is, as JSON
"""

import base64
import hashlib
import json
import sys

import pulsar
import zstandard
from evenkeel.v1 import batch_pb2, event_pb2


def publish(service_url: str, topic: str) -> None:
    event = event_pb2.Event(account="acme", cluster="c1", cluster_uid="uid-1", epoch=7, sequence=12)
    event.publish_time.GetCurrentTime()
    event.batch.type = batch_pb2.BATCH_TYPE_DEFAULT
    event.batch.resource_type.version = "v1"
    event.batch.resource_type.resource = "pods"
    put = event.batch.items.add().put_object
    put.ref.namespace = "a"
    put.ref.name = "x"
    put.content = b'{"big":9007199254740993}'
    put.checksum = hashlib.sha256(put.content).digest()
    client = pulsar.Client(service_url)
    producer = client.create_producer(topic)
    producer.send(
        event.SerializeToString(),
        partition_key='["acme","c1"]',
        properties={"account": "acme", "language": "Python", "name": "ü"},
    )
    client.close()


def read(service_url: str, topic: str, subscription: str) -> None:
    client = pulsar.Client(service_url)
    consumer = client.subscribe(topic, subscription, consumer_type=pulsar.ConsumerType.KeyShared)
    message = consumer.receive(timeout_millis=60_000)
    consumer.acknowledge(message)
    event = event_pb2.Event.FromString(message.data())
    body = event.WhichOneof("body")
    batch = event.batch
    if body == "compressed_batch":
        batch = batch_pb2.Batch.FromString(
            zstandard.ZstdDecompressor().decompress(event.compressed_batch.zstd)
        )
    print(
        json.dumps(
            {
                "key": message.partition_key(),
                "properties": message.properties(),
                "payload": base64.b64encode(message.data()).decode(),
                "account": event.account,
                "epoch": event.epoch,
                "sequence": event.sequence,
                "body": body,
                "contents": [item.put_object.content.decode() for item in batch.items],
            }
        )
    )
    client.close()


{"publish": publish, "read": read}[sys.argv[1]](*sys.argv[2:])
