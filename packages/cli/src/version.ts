/** Of all that this clone holds. */
export const version = '0.1.0'
