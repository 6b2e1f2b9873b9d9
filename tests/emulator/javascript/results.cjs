// Read the results of a label detection with Amazon's SDK for JavaScript, and print them.
//
//     node results.cjs FOLDER URL ACCESS_KEY SECRET_KEY QUEUE
//
// FOLDER has the SDK in its node_modules. The events are those of the queue until the end of a session.

const { createRequire } = require("node:module");
const [folder, endpoint, accessKeyId, secretAccessKey, name] = process.argv.slice(2);
const load = createRequire(`${folder}/`);
const { SQSClient, GetQueueUrlCommand, ReceiveMessageCommand, DeleteMessageBatchCommand, SendMessageCommand } =
  load("@aws-sdk/client-sqs");
const { S3Client, GetObjectCommand, HeadObjectCommand, ListObjectsV2Command } = load("@aws-sdk/client-s3");

async function main() {
  const options = { region: "us-east-1", endpoint, credentials: { accessKeyId, secretAccessKey } };
  const sqs = new SQSClient(options);
  // With a name in the URL, the SDK puts the bucket before it, and Node finds no host "pictures.localhost".
  const s3 = new S3Client({ ...options, forcePathStyle: new URL(endpoint).hostname === "localhost" });
  const { QueueUrl } = await sqs.send(new GetQueueUrlCommand({ QueueName: name }));
  const printed = { events: [], pictures: [] };
  while (!printed.events.includes("STREAM_PROCESSING_COMPLETE")) {
    const { Messages = [] } = await sqs.send(
      new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 20 }),
    );
    for (const { Body } of Messages) {
      const event = JSON.parse(JSON.parse(Body).Message);
      printed.events.push(event.eventNamespace.type);
      for (const { frameImageUri } of event.labels ?? []) {
        const [, Bucket, Key] = /^s3:\/\/([^/]+)\/(.+)$/.exec(frameImageUri);
        const { Body: picture } = await s3.send(new GetObjectCommand({ Bucket, Key }));
        const { ContentLength } = await s3.send(new HeadObjectCommand({ Bucket, Key }));
        const bytes = await picture.transformToByteArray();
        printed.pictures.push(bytes.length === ContentLength && bytes[0] === 0xff && bytes[1] === 0xd8);
        const { Contents } = await s3.send(new ListObjectsV2Command({ Bucket }));
        printed.isListed = Contents.some((item) => item.Key === Key);
      }
    }
    const Entries = Messages.map(({ ReceiptHandle }, index) => ({ Id: `${index}`, ReceiptHandle }));
    const { Successful } = await sqs.send(new DeleteMessageBatchCommand({ QueueUrl, Entries }));
    printed.deleted = (printed.deleted ?? 0) + Successful.length;
  }
  await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: "für die Tür" }));
  const { Messages } = await sqs.send(new ReceiveMessageCommand({ QueueUrl }));
  printed.body = Messages[0].Body;
  try {
    await sqs.send(new GetQueueUrlCommand({ QueueName: "none" }));
  } catch (error) {
    printed.error = error.name;
  }
  try {
    await s3.send(new GetObjectCommand({ Bucket: "pictures", Key: "none" }));
  } catch (error) {
    printed.missing = error.name;
  }
  console.log(JSON.stringify(printed));
}

main();
