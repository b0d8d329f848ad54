import { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { PeerInfo } from '../../../src/server/connection/peer-info.ts';
import { makeCertificate, makeCertificates } from '../../support/certificates.ts';

test('the certificate of a client is told of as RabbitMQ does', () => {
  const { authority } = makeCertificates();
  const validFromMs = Date.UTC(2026, 0, 2, 3, 4, 5);
  const client = makeCertificate({
    subject: [
      ['C', 'DE', 'printable'],
      ['O', 'Hares'],
      ['CN', 'guest'],
    ],
    signedBy: authority,
    validFromMs,
    validToMs: Date.UTC(2036, 0, 2, 3, 4, 5),
  });
  const tls = { protocol: 'TLSv1.3', cipher: 'x', certificate: client.der, refusal: null };
  const facts = new PeerInfo(new Socket(), tls, 0);
  expect(facts.certificate).toEqual({
    peer_cert_subject: 'CN=guest,O=Hares,C=DE',
    peer_cert_issuer: 'CN=test authority',
    peer_cert_validity: '2026-01-02T03:04:05Z - 2036-01-02T03:04:05Z',
  });
  const nobody = new PeerInfo(new Socket(), { ...tls, certificate: null }, 0);
  expect(nobody.certificate.peer_cert_subject).toBeNull();
});
