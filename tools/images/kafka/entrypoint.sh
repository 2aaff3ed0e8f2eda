#!/bin/sh
# KAFKA_SOME_NAME=value becomes some.name=value, as in apache/kafka; then the broker.
set -eu
properties=/tmp/server.properties
env | grep '^KAFKA_' | grep -v '_OPTS=' | while IFS='=' read -r name value; do
    printf '%s=%s\n' "$(printf %s "${name#KAFKA_}" | tr 'A-Z_' 'a-z.')" "$value"
done >$properties
run() { java ${KAFKA_HEAP_OPTS:--Xmx400m} -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:-UsePerfData -cp "$(cat /opt/kafka/classpath)" "$@"; }
run kafka.tools.StorageTool format --ignore-formatted -t "${CLUSTER_ID:-5L6g3nShT-eMCtK--X86sw}" -c $properties
exec java ${KAFKA_HEAP_OPTS:--Xmx400m} -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:-UsePerfData \
    -cp "$(cat /opt/kafka/classpath)" kafka.Kafka $properties
