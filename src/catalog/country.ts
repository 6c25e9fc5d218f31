/** Countries are two letters A to Z, so there are 26 x 26 of them, assigned or not. */
export const COUNTRY_COUNT = 676;

/** Place of an upper-case alpha-2 code in 0..675, for journals and tables. */
export const countryNumber = (country: string) =>
  (country.charCodeAt(0) - 65) * 26 + (country.charCodeAt(1) - 65);

/** The alpha-2 code at a place of `countryNumber`. */
export const countryCode = (place: number) =>
  String.fromCharCode(65 + Math.floor(place / 26), 65 + (place % 26));
