// The example of RFC 7677, and servers that are not to be trusted.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Scram } from './scram.ts';

const CHALLENGE = 'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096';
const client = () => new Scram('sha256', 'user', 'pencil', 'rOprNGfwEbeRWgbNEkqO');

test("the RFC's conversation", async () => {
  const scram = client();
  assert.equal(scram.first, 'n,,n=user,r=rOprNGfwEbeRWgbNEkqO');
  assert.equal(
    await scram.proof(CHALLENGE),
    'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
  );
  scram.verify('v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=');
  assert.throws(() => scram.verify('v=AAAATRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4='), /does not prove/);
  assert.throws(() => scram.verify('e=invalid-proof'), /invalid-proof/);
});

test('a challenge that is no answer to ours, or too weak, is refused', async () => {
  await assert.rejects(client().proof('r=other,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096'), /nonce/);
  await assert.rejects(client().proof('r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096'), /nonce/);
  await assert.rejects(client().proof(CHALLENGE.replace('4096', '1')), /iterations/);
  await assert.rejects(client().proof(CHALLENGE.replace('4096', '99999999')), /iterations/);
});

test('names with commas and equals signs are escaped', () => {
  assert.equal(new Scram('sha512', 'a=b,c', '', 'n').first, 'n,,n=a=3Db=2Cc,r=n');
});
