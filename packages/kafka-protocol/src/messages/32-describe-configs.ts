import { api, array, bool, type Infer, int8, int16, int32, string } from '../schema.ts'

/** Source: DescribeConfigsRequest.json, DescribeConfigsResponse.json. */
export const describeConfigs = api(
  { key: 32, name: 'DescribeConfigs', versions: [0, 4], flexibleFrom: 4 },
  {
    resources: array({
      resourceType: int8(),
      resourceName: string(),
      configurationKeys: array(string(), { nullableSince: 0 }),
    }),
    includeSynonyms: bool({ since: 1 }),
    includeDocumentation: bool({ since: 3 }),
  },
  {
    throttleTimeMs: int32(),
    results: array({
      errorCode: int16(),
      errorMessage: string({ nullableSince: 0 }),
      resourceType: int8(),
      resourceName: string(),
      configs: array({
        name: string(),
        value: string({ nullableSince: 0 }),
        readOnly: bool(),
        isDefault: bool({ until: 0 }),
        configSource: int8({ since: 1, default: -1, ignorable: true }),
        isSensitive: bool(),
        synonyms: array(
          {
            name: string({ since: 1 }),
            value: string({ since: 1, nullableSince: 0 }),
            source: int8({ since: 1 }),
          },
          { since: 1, ignorable: true },
        ),
        configType: int8({ since: 3, ignorable: true }),
        documentation: string({ since: 3, nullableSince: 0, ignorable: true }),
      }),
    }),
  },
)
export type DescribeConfigsRequest = Infer<typeof describeConfigs.request>
export type DescribeConfigsResponse = Infer<typeof describeConfigs.response>
