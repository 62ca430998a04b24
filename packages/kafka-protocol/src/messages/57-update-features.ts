import { api, array, bool, type Infer, int8, int16, int32, string } from '../schema.ts'

/** Source: UpdateFeaturesRequest.json, UpdateFeaturesResponse.json. */
export const updateFeatures = api(
  { key: 57, name: 'UpdateFeatures', versions: [0, 2], flexibleFrom: 0 },
  {
    timeoutMs: int32({ default: 60000 }),
    featureUpdates: array({
      feature: string(),
      maxVersionLevel: int16(),
      allowDowngrade: bool({ until: 0 }),
      upgradeType: int8({ since: 1, default: 1 }),
    }),
    validateOnly: bool({ since: 1 }),
  },
  {
    throttleTimeMs: int32(),
    errorCode: int16(),
    errorMessage: string({ nullableSince: 0 }),
    results: array(
      {
        feature: string(),
        errorCode: int16(),
        errorMessage: string({ nullableSince: 0 }),
      },
      { until: 1, ignorable: true },
    ),
  },
)
export type UpdateFeaturesRequest = Infer<typeof updateFeatures.request>
export type UpdateFeaturesResponse = Infer<typeof updateFeatures.response>
