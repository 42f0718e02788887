// An authority's answer (RFC 3161) over the SHA-256 of a note, under root certificates that the reader names. What
// edge/trust/timestamp.py checks is checked, in that order.

import { joined, printable, same, utf8, Wrong } from "./bytes.js";
import { sha256 } from "./hashes.js";
import { certificateOf, DIGESTS, isForStamps, isTrusted, need, OCTETS, oidOf, parts, read, sequence, SET, signedBy, small, TIME, timeOf } from "./x509.js";

const SIGNED_DATA = "1.2.840.113549.1.7.2", TST_INFO = "1.2.840.113549.1.9.16.1.4", SHA256 = "2.16.840.1.101.3.4.2.1";
const CONTENT_TYPE = "1.2.840.113549.1.9.3", MESSAGE_DIGEST = "1.2.840.113549.1.9.4";
const SIGNING_CERTIFICATE = "1.2.840.113549.1.9.16.2.12", SIGNING_CERTIFICATE_V2 = "1.2.840.113549.1.9.16.2.47";

// {at, authority} of the stamp; throws Wrong with the reason otherwise.
export async function checkAnswer(answer, note, roots) {
  try {
    return await checked(answer, sha256(utf8(note)), roots);
  } catch (error) {
    throw error instanceof Wrong && error.code.startsWith("timestamp_") ? error : new Wrong("timestamp_broken");
  }
}

const only = (nodes) => {
  if (nodes.length !== 1) throw new Wrong("timestamp_broken");
  return nodes[0];
};

async function checked(answer, digest, roots) {
  const [status, ...token] = sequence(read(answer), 1);
  const code = small(sequence(status, 1)[0]);
  if ((code !== 0 && code !== 1) || token.length !== 1) throw new Wrong("timestamp_refused", { status: code });
  const [kind, wrapped] = sequence(token[0], 2);
  if (oidOf(kind) !== SIGNED_DATA) throw new Wrong("timestamp_broken");
  const [, , inside, ...rest] = sequence(only(parts(need(wrapped, 0xa0))), 4);
  const [type, content] = sequence(inside, 2);
  const info = need(only(parts(need(content, 0xa0))), OCTETS).content;
  if (oidOf(type) !== TST_INFO) throw new Wrong("timestamp_broken");
  const sets = rest.filter((node) => node.tag === 0xa0).map((node) => parts(node).map((one) => certificateOf(one.raw)));
  const certificates = [].concat(...sets);
  const signer = sequence(only(parts(need(rest[rest.length - 1], SET))), 6);
  const at = momentOf(info, digest);
  const attributes = attributesOf(signer[3]);
  const certificate = await signerOf(attributes, certificates);
  const authority = printable(certificate.name);
  if (!isForStamps(certificate)) throw new Wrong("timestamp_purpose", { authority });
  await needSignature(signer, attributes, info, certificate);
  if (!(await isTrusted(certificate, certificates, roots, at, 0))) throw new Wrong("timestamp_authority", { authority });
  return { at, authority };
}

function momentOf(info, digest) {
  const [version, , stamped, , moment] = sequence(read(info), 5);
  const [algorithm, hashed] = sequence(stamped, 2);
  if (small(version) !== 1) throw new Wrong("timestamp_broken");
  if (oidOf(sequence(algorithm, 1)[0]) !== SHA256 || !same(need(hashed, OCTETS).content, digest)) throw new Wrong("timestamp_imprint");
  return timeOf(need(moment, TIME));
}

function attributesOf(node) {
  const found = new Map();
  for (const attribute of parts(need(node, 0xa0))) {
    const [kind, values] = sequence(attribute, 2);
    if (found.has(oidOf(kind))) throw new Wrong("timestamp_broken");
    found.set(oidOf(kind), only(parts(need(values, SET))));
  }
  return found;
}

async function hashOf(name, bytes) {
  return new Uint8Array(await window.crypto.subtle.digest(name, bytes));
}

// The one certificate that the signed attributes name by its hash.
async function signerOf(attributes, certificates) {
  const named = [];
  for (const [kind, plain] of [[SIGNING_CERTIFICATE_V2, "SHA-256"], [SIGNING_CERTIFICATE, "SHA-1"]]) {
    if (!attributes.has(kind)) continue;
    const id = sequence(sequence(sequence(attributes.get(kind), 1)[0], 1)[0], 1);
    const told = kind === SIGNING_CERTIFICATE_V2 && id[0].tag === 0x30;
    const name = told ? DIGESTS[oidOf(sequence(id[0], 1)[0])] : plain;
    if (!name) throw new Wrong("timestamp_broken");
    named.push([name, need(id[told ? 1 : 0], OCTETS).content]);
  }
  if (!named.length) throw new Wrong("timestamp_broken");
  for (const certificate of certificates) {
    const good = await Promise.all(named.map(async ([name, hash]) => same(await hashOf(name, certificate.raw), hash)));
    if (good.every(Boolean)) return certificate;
  }
  throw new Wrong("timestamp_signature");
}

// The attributes are of this content, and signed by this certificate's key.
async function needSignature(signer, attributes, info, certificate) {
  const digest = DIGESTS[oidOf(sequence(signer[2], 1)[0])];
  if (!digest || !attributes.has(CONTENT_TYPE) || !attributes.has(MESSAGE_DIGEST)) throw new Wrong("timestamp_broken");
  const told = need(attributes.get(MESSAGE_DIGEST), OCTETS).content;
  const content = oidOf(attributes.get(CONTENT_TYPE)) === TST_INFO && same(told, await hashOf(digest, info));
  const message = joined([Uint8Array.of(SET), signer[3].raw.subarray(1)]);
  const algorithm = oidOf(sequence(signer[4], 1)[0]);
  if (!content || !(await signedBy(certificate, algorithm, digest, need(signer[5], OCTETS).content, message))) throw new Wrong("timestamp_signature");
}
