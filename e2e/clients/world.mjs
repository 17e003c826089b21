// What the programs share: their settings, and what a person would do meanwhile.
import { createHmac } from "node:crypto";

export const settings = JSON.parse(process.env.SETTINGS);

// code is the last one that Cognito would have sent to an address.
export async function code(to) {
  const answer = await fetch(`${settings.url}/test/code?to=${encodeURIComponent(to)}`);
  return answer.text();
}

// later puts the pool's clock forward, and tells its time.
export async function later(by) {
  const answer = await fetch(`${settings.url}/test/later?by=${by}`, { method: "POST" });
  return Number(await answer.text());
}

// totp is what an authenticator app shows (RFC 6238), half a minute after the code
// before, which the pool would not take again.
export async function totp(secret) {
  const interval = Buffer.alloc(8);
  interval.writeBigUInt64BE(BigInt(Math.floor((await later("30s")) / 30_000)));
  const mac = createHmac("sha1", base32(secret)).update(interval).digest();
  const number = mac.readUInt32BE(mac[19] & 15) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, "0");
}

function base32(text) {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const bytes = [];
  let bits = 0;
  let value = 0;
  for (const letter of text) {
    value = ((value << 5) | alphabet.indexOf(letter)) & 0xfff;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes.push((value >> bits) & 0xff);
    }
  }
  return Buffer.from(bytes);
}

// secretHash is what a client with a secret proves itself by.
export function secretHash(username, client, secret) {
  return createHmac("sha256", secret).update(username + client).digest("base64");
}
