// Buys a membership with @grpc/grpc-js and follows the payment.
//
//   npm install @grpc/grpc-js @grpc/proto-loader
//   set -a; . .run/env; set +a
//   node examples/node/buy-membership.js          (from the repository's root)

'use strict';

const { randomUUID } = require('node:crypto');
const grpc = require('@grpc/grpc-js');
const protoLoader = require('@grpc/proto-loader');

const DEADLINE_MS = 45_000;
const ATTEMPTS = 5;

const definition = protoLoader.loadSync('protos/payments/v1/payments_service.proto', {
  includeDirs: ['.'], // protos import each other by their path in the repository
  longs: String, // amounts and versions are 64-bit integers: a JavaScript number would round them
  enums: String,
  defaults: true,
  oneofs: true,
});
const { PaymentsService } = grpc.loadPackageDefinition(definition).payments.v1;
const client = new PaymentsService(process.env.PAYMENTS_ADDRESS, grpc.credentials.createInsecure(), {
  'grpc.enable_retries': 0, // ours below know what is safe
});

function metadata() {
  const values = new grpc.Metadata();
  values.set('authorization', `Bearer ${process.env.SERVICE_TOKEN}`);
  return values;
}

function createPayment(request) {
  return new Promise((resolve, reject) => {
    const options = { deadline: Date.now() + DEADLINE_MS };
    client.createPayment(request, metadata(), options, (error, response) =>
      error ? reject(error) : resolve(response.payment));
  });
}

// UNAVAILABLE and ABORTED prove nothing about the call. The same key makes sending it again safe.
async function createPaymentPatiently(request) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await createPayment(request);
    } catch (error) {
      const passing = [grpc.status.UNAVAILABLE, grpc.status.ABORTED].includes(error.code);
      if (!passing || attempt === ATTEMPTS) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200 * 2 ** attempt));
    }
  }
}

function watch(paymentId) {
  return new Promise((resolve, reject) => {
    const stream = client.watchPayment({ payment_id: paymentId, after_version: '0' }, metadata());
    stream.on('data', ({ payment }) => console.log(`${payment.status}: ${payment.status_message}`));
    stream.on('error', reject);
    stream.on('end', resolve);
  });
}

async function main() {
  const payment = await createPaymentPatiently({
    user_id: 'alice',
    tier: 'pro',
    billing_cycle: 'BILLING_CYCLE_MONTHLY',
    payment_method: 'PAYMENT_METHOD_CARD',
    currency_code: 'UGX',
    customer: { email: 'alice@creators.test', name: 'Alice' },
    idempotency_key: randomUUID(), // keep it with the order
  });
  console.log(`pay at ${payment.next_action.redirect_url}`);
  await watch(payment.payment_id);
}

main()
  .catch((error) => {
    console.error(`${grpc.status[error.code] ?? 'ERROR'}: ${error.details ?? error.message}`);
    process.exitCode = 1;
  })
  .finally(() => client.close());
