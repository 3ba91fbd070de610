/**
 * The age at which farms harvest abalone. It is not a feature, so it is not in the contract: a change to it changes the
 * website's text, and nothing that a model has learnt.
 *
 * Tasmania, where the surveyed animals lived, farms this species (*Haliotis rubra*, blacklip) and its hybrids: some six
 * months in the nursery, then two to three years of grow-out, after which the animals are harvested. We take the end of
 * that span, so that "reached" holds for slow ones too. FAO's training manual on the artificial breeding of abalone
 * (1990) gives three to four years for another species, *Haliotis discus hannai*.
 */
export const farmingAge = {
  /** Half a year and three years. */
  years: 3.5,
  source: "Department of Natural Resources and Environment Tasmania, “Abalone farming”",
  address: "https://nre.tas.gov.au/aquaculture/aquaculture-species-in-tasmania/abalone-farming",
} as const;
