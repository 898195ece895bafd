// Checks a document by the rules of Redocly in redocly.yaml; prints one problem a line.
import { lint, loadConfig } from "@redocly/openapi-core";

const [document, rules] = process.argv.slice(2);
const config = await loadConfig({ configPath: rules });
for (const problem of await lint({ ref: document, config })) {
  const place = problem.location[0]?.pointer ?? "";
  console.log(`${problem.severity} ${problem.ruleId} ${place} ${problem.message}`);
}
