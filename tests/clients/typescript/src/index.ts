/** Client of the HexaVox API; every path, body, answer and error code has a type. */
import createFetchClient, { type Client } from "openapi-fetch";

import type { components, paths } from "./schema.js";

export type { components, operations, paths, webhooks } from "./schema.js";

/** A schema of the API by name, such as `Schema<"MessageView">`. */
export type Schema<Name extends keyof components["schemas"]> = components["schemas"][Name];

export interface Connection {
  /** Scheme and host of the installation, such as `https://sms.example.com`. */
  baseUrl: string;
  apiKey: string;
  apiSecret: string;
}

export function createClient({ baseUrl, apiKey, apiSecret }: Connection): Client<paths> {
  return createFetchClient<paths>({
    baseUrl,
    headers: { "X-API-KEY": apiKey, "X-API-SECRET": apiSecret },
  });
}
