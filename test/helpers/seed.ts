// Property tests draw the same cases in every run, so that a red build is about the change and not about luck. To look for
// new cases: `CDC_TEST_SEED=$RANDOM npm test`; a failure prints seed and path.

import fc from 'fast-check';

fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(process.env['CDC_TEST_SEED'] ?? 20261121) });
