// Read the records of a face search with Amazon's SDK for JavaScript, write one and split the shard; print what was read.
//
//     node kinesis.cjs FOLDER URL ACCESS_KEY SECRET_KEY STREAM
//
// FOLDER has the SDK in its node_modules.

const { createRequire } = require("node:module");
const [folder, endpoint, accessKeyId, secretAccessKey, StreamName] = process.argv.slice(2);
const load = createRequire(`${folder}/`);
const {
  KinesisClient,
  GetRecordsCommand,
  GetShardIteratorCommand,
  ListShardsCommand,
  PutRecordCommand,
  SplitShardCommand,
} = load("@aws-sdk/client-kinesis");
const { NodeHttpHandler } = load("@smithy/node-http-handler");

async function main() {
  const credentials = { accessKeyId, secretAccessKey };
  // The client of Kinesis uses HTTP/2 unless it is told otherwise.
  const requestHandler = new NodeHttpHandler();
  const kinesis = new KinesisClient({ region: "us-east-1", endpoint, credentials, requestHandler });
  const { Shards } = await kinesis.send(new ListShardsCommand({ StreamName }));
  const [{ ShardId }] = Shards;
  const Data = new TextEncoder().encode("für die Tür");
  const { SequenceNumber } = await kinesis.send(new PutRecordCommand({ StreamName, Data, PartitionKey: "k" }));
  await kinesis.send(new SplitShardCommand({ StreamName, ShardToSplit: ShardId, NewStartingHashKey: `${2n ** 127n}` }));
  const printed = { shards: Shards.length, faces: [] };
  let { ShardIterator } = await kinesis.send(
    new GetShardIteratorCommand({ StreamName, ShardId, ShardIteratorType: "TRIM_HORIZON" }),
  );
  while (ShardIterator) {
    const answer = await kinesis.send(new GetRecordsCommand({ ShardIterator }));
    for (const record of answer.Records) {
      const text = new TextDecoder().decode(record.Data);
      if (record.SequenceNumber === SequenceNumber) {
        printed.text = text;
      } else {
        printed.faces.push(JSON.parse(text).FaceSearchResponse.length);
        printed.arrived = record.ApproximateArrivalTimestamp.getTime();
      }
    }
    printed.children = answer.ChildShards?.map((shard) => shard.ShardId);
    ShardIterator = answer.NextShardIterator;
  }
  try {
    await kinesis.send(new ListShardsCommand({ StreamName: "none" }));
  } catch (error) {
    printed.error = error.name;
  }
  console.log(JSON.stringify(printed));
}

main();
