// Access tokens for the demonstration, signed in the page itself.
//
// A real page gets its tokens from an identity provider, which knows its user.  Here a key takes that
// place which ./run makes at each start and serves to whoever reaches this origin: it proves nothing,
// hence its name, demo-insecure.

const LIFETIME_S = 30;

// What lighttpd.conf demands of a token.
const CLAIMS = {
  iss: "https://auth.example.com",
  aud: "https://api.example.com",
  scope: "proxy:stream",
  sub: "demo",
};

const ECDSA = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

// As a JSON Web Key; null where there is none, as on the ports that need no token (demo-key.json).
export async function demoKey() {
  const response = await fetch("/demo-key.json", { cache: "no-store", redirect: "error" });
  return response.ok ? response.json() : null;
}

// { text, expiresAt }.  The key is asked for each time: it is another one after the next ./run.
export async function mintToken() {
  const jwk = await demoKey();
  if (!jwk) throw new Error("the demo key is gone");
  const key = await crypto.subtle.importKey("jwk", jwk, ECDSA, false, ["sign"]);
  const exp = Math.floor(Date.now() / 1000) + LIFETIME_S;
  const signed = `${segment({ typ: "JWT", alg: "ES256", kid: jwk.kid })}.${segment({ ...CLAIMS, exp })}`;
  const signature = await crypto.subtle.sign(ECDSA, key, utf8(signed));
  return { text: `${signed}.${base64url(new Uint8Array(signature))}`, expiresAt: exp * 1000 };
}

function segment(object) {
  return base64url(utf8(JSON.stringify(object)));
}

function utf8(text) {
  return new TextEncoder().encode(text);
}

function base64url(bytes) {
  const base64 = btoa(String.fromCharCode(...bytes));
  return base64.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}
