export type Snippet = { name: string; text: string };

/** Ready to paste: the secret and the proxy's address are in it. */
export function snippets(proxyUrl: string, secret: string, model: string): Snippet[] {
  return [
    { name: "curl", text: curl(proxyUrl, secret, model) },
    { name: "Python", text: python(proxyUrl, secret, model) },
    { name: "Codex", text: codex(proxyUrl, secret, model) },
  ];
}

/** The first model that the key names in full, else a common one. */
export function exampleModel(allowedModels: readonly string[]): string {
  return allowedModels.find((model) => !model.endsWith("*")) ?? "gpt-5.1-codex";
}

function curl(proxyUrl: string, secret: string, model: string): string {
  return `curl -N ${proxyUrl}/v1/responses \\
  -H "Authorization: Bearer ${secret}" \\
  -H "Content-Type: application/json" \\
  -d '${JSON.stringify({ model, input: "Say hello", stream: true })}'`;
}

function python(proxyUrl: string, secret: string, model: string): string {
  return `from openai import OpenAI

client = OpenAI(
    base_url="${proxyUrl}/v1",
    api_key="${secret}",
)
answer = client.responses.create(model="${model}", input="Say hello")
print(answer.output_text)`;
}

function codex(proxyUrl: string, secret: string, model: string): string {
  return `# ~/.codex/config.toml
model = "${model}"
model_provider = "quotad"

[model_providers.quotad]
name = "quotad"
base_url = "${proxyUrl}/v1"
env_key = "QUOTA_API_KEY"
wire_api = "responses"

# then, in a shell:
#   export QUOTA_API_KEY=${secret}
#   codex`;
}
