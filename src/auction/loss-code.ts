/** Why a bid lost, or could not count (OpenRTB 3.0, "Loss Reason Codes", which 2.6 refers to). */
export const LossCode = {
  won: 0,
  invalidResponse: 3,
  invalidAuctionId: 5,
  missingPrice: 9,
  belowFloor: 100,
  outbid: 102,
  seatBlocked: 104,
} as const;
