// The guide's quickstart by the generated client; prints what came of it as JSON.
import { createClient, type Schema } from "./index.js";

declare const process: { env: Record<string, string> };

const { HEXAVOX_URL, HEXAVOX_API_KEY, HEXAVOX_API_SECRET } = process.env;
const api = createClient({
  baseUrl: HEXAVOX_URL ?? "",
  apiKey: HEXAVOX_API_KEY ?? "",
  apiSecret: HEXAVOX_API_SECRET ?? "",
});
const key = { header: { "Idempotency-Key": "merchant-gym-a-otp-20260416-001" } };
const sms: Schema<"V1OmniSmsSendRequest"> = {
  merchantId: "gym-a",
  to: "+18135551234",
  message: "Your OTP is 123456",
  type: "OTP",
};

const merchant = await api.POST("/api/v1/merchants", {
  body: {
    merchantId: "gym-a",
    displayName: "Gym A",
    active: true,
    smsLimit: 5000,
    voiceMinutesLimit: 1000,
    emailLimit: 25000,
  },
});
const consent = await api.POST("/api/v1/consents", {
  body: {
    merchantId: "gym-a",
    channel: "SMS",
    contact: "+18135551234",
    status: "OPT_IN",
    source: "checkout-form",
  },
});
const sent = await api.POST("/api/v1/messages/sms", { params: key, body: sms });
const again = await api.POST("/api/v1/messages/sms", { params: key, body: sms });
const reused = await api.POST("/api/v1/messages/sms", {
  params: key,
  body: { ...sms, message: "Another text" },
});
const invalid = await api.POST("/api/v1/messages/sms", { body: { ...sms, merchantId: "?" } });
// Fields with a default are optional.
const call = await api.POST("/api/v1/messages/voice", {
  body: { merchantId: "gym-a", to: "+18135551234", text: "Ten!", type: "REMINDER" },
});

const messageId = sent.data?.messageId ?? "";
let message: Schema<"MessageView"> | undefined;
do {
  await new Promise((resolve) => setTimeout(resolve, 200));
  message = (await api.GET("/api/v1/messages/{messageId}", { params: { path: { messageId } } })).data;
} while (message !== undefined && message.completedAt === null);

const listed = await api.GET("/api/v1/messages", {
  params: { query: { merchantId: "gym-a", channel: "SMS", limit: 10 } },
});
const today = new Date().toISOString().slice(0, 10);
const report = await api.GET("/api/v1/reports/usage", {
  params: { query: { from: today, to: today } },
});

// The codes that an operation may answer are known: this does not compile with another one.
const code: "IDEMPOTENCY_KEY_REUSED" | undefined =
  reused.error?.code === "IDEMPOTENCY_KEY_REUSED" ? reused.error.code : undefined;
// @ts-expect-error No operation that reads a message answers this code.
const never: boolean = (await api.GET("/api/v1/messages")).error?.code === "NUMBER_TAKEN";

console.log(
  JSON.stringify({
    merchant: merchant.data?.displayName,
    consent: consent.data?.status,
    sent: sent.data?.status,
    again: again.data?.messageId === messageId,
    replayed: again.response.headers.get("Idempotency-Replayed"),
    reused: code,
    invalid: invalid.error?.errors?.map(({ field }) => field),
    called: call.data?.channel,
    ended: message?.status,
    listed: listed.data?.map((each) => each.messageId === messageId),
    counted: report.data?.totalSmsCount,
    state: report.data?.freshnessState,
    never,
  }),
);
