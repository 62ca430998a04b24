"""Prints the values of the first records of a topic, read as a new consumer group.

    consume.py kafka-python|confluent-kafka bootstrap topic count
"""

import sys
import uuid

library, bootstrap, topic, count = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
group = f"{library}-{uuid.uuid4()}"

if library == "kafka-python":
    from kafka import KafkaConsumer

    consumer = KafkaConsumer(topic, bootstrap_servers=bootstrap, group_id=group, auto_offset_reset="earliest")
    values = (record.value for record in consumer)
else:
    from confluent_kafka import Consumer

    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group, "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])

    def poll_for_ever():
        while True:
            message = consumer.poll(1)
            if message is not None and not message.error():
                yield message.value()

    values = poll_for_ever()

for _ in range(count):
    print(next(values).decode())
consumer.close()
