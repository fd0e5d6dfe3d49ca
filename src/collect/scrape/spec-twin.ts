// The job that tests start from: text, no limits, no rules.

import { DEFAULT_HTTP_CLIENT } from '#clients/http/config.ts';
import type { JobSpec } from './spec.ts';

export const JOB: JobSpec = {
  name: 'j',
  protocols: ['PrometheusText0.0.4'],
  fallbackProtocol: undefined,
  escaping: 'allow-utf-8',
  nameValidation: 'utf8',
  enableCompression: true,
  honorLabels: false,
  honorTimestamps: true,
  trackTimestampsStaleness: false,
  extraMetrics: false,
  limits: {
    bodySizeBytes: 0,
    samples: 0,
    labels: 0,
    labelNameLength: 0,
    labelValueLength: 0,
    histogramBuckets: 0,
    histogramMinBucketFactor: 0,
  },
  metricRelabelRules: [],
  http: DEFAULT_HTTP_CLIENT,
  failureLogFile: undefined,
  startTimestamps: false,
  typeAndUnitLabels: false,
};
