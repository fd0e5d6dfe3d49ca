// The otlp section of prometheus.yml.

import { boolean, list, object, oneOf, type Schema, string, withDefault } from '#base/config/schema.ts';
import { TRANSLATION_STRATEGIES } from './names.ts';

const attributes = list(string());

export const otlpSection = object(
  {
    promote_all_resource_attributes: withDefault(boolean(), false),
    promote_resource_attributes: attributes,
    ignore_resource_attributes: attributes,
    translation_strategy: withDefault(oneOf(...TRANSLATION_STRATEGIES), 'UnderscoreEscapingWithSuffixes'),
    keep_identifying_resource_attributes: withDefault(boolean(), false),
    convert_histograms_to_nhcb: withDefault(boolean(), false),
    promote_scope_metadata: withDefault(boolean(), false),
    label_name_underscore_sanitization: withDefault(boolean(), true),
    label_name_preserve_multiple_underscores: withDefault(boolean(), true),
  },
  (value, report) => {
    if (value.promote_all_resource_attributes && value.promote_resource_attributes.length > 0) {
      report(
        'promote_resource_attributes',
        "'promote_all_resource_attributes' and 'promote_resource_attributes' cannot be configured simultaneously",
      );
    }
    if (!value.promote_all_resource_attributes && value.ignore_resource_attributes.length > 0) {
      report(
        'ignore_resource_attributes',
        "'ignore_resource_attributes' cannot be configured unless 'promote_all_resource_attributes' is true",
      );
    }
    for (const field of ['promote_resource_attributes', 'ignore_resource_attributes'] as const) {
      const which = field.startsWith('promote') ? 'promoted' : 'ignored';
      const seen = new Set<string>();
      for (const name of value[field].map((text) => text.trim())) {
        if (name === '') report(field, `empty ${which} OTel resource attribute`);
        else if (seen.has(name)) report(field, `duplicated ${which} OTel resource attribute ${JSON.stringify(name)}`);
        seen.add(name);
      }
    }
  },
);
export type OtlpSection = typeof otlpSection extends Schema<infer T> ? T : never;

/** What an absent section means. */
export const DEFAULT_OTLP: OtlpSection = {
  promote_all_resource_attributes: false,
  promote_resource_attributes: [],
  ignore_resource_attributes: [],
  translation_strategy: 'UnderscoreEscapingWithSuffixes',
  keep_identifying_resource_attributes: false,
  convert_histograms_to_nhcb: false,
  promote_scope_metadata: false,
  label_name_underscore_sanitization: true,
  label_name_preserve_multiple_underscores: true,
};
