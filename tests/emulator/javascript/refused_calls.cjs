// Call an emulator with Amazon's SDK for JavaScript, and print each outcome with its number of attempts.
//
//     node refused_calls.cjs FOLDER URL ACCESS_KEY SECRET_KEY
//
// FOLDER has the SDK in its node_modules. The last call is a success, which needs a signature that is not refused.

const { createRequire } = require("node:module");
const [folder, endpoint, accessKeyId, secretAccessKey] = process.argv.slice(2);
const sdk = createRequire(`${folder}/`)("@aws-sdk/client-rekognition");

async function main() {
  const client = new sdk.RekognitionClient({
    region: "us-east-1",
    endpoint,
    credentials: { accessKeyId, secretAccessKey },
  });
  const commands = [
    new sdk.DescribeStreamProcessorCommand({ Name: "unknown" }),
    new sdk.DescribeStreamProcessorCommand({ Name: "unknown" }),
    new sdk.StopStreamProcessorCommand({ Name: "unknown" }),
    new sdk.ListStreamProcessorsCommand({}),
  ];
  const outcomes = [];
  for (const command of commands) {
    try {
      const response = await client.send(command);
      outcomes.push(["", response.$metadata.attempts]);
    } catch (error) {
      outcomes.push([error.name, error.$metadata?.attempts ?? 0]);
    }
  }
  console.log(JSON.stringify(outcomes));
}

main();
