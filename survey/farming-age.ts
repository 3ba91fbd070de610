/**
 * The age at which farms harvest abalone. It is not a feature, so it is not in the contract: a change to it changes
 * only the website's text, and no model.
 *
 * Tasmania, where the surveyed animals lived, farms this species (*Haliotis rubra*, blacklip) and its hybrids: about
 * six months in the nursery, then two to three years of grow-out until harvest. We take the end of that span, so that
 * slow animals have reached it too. FAO's training manual on the artificial breeding of abalone (1990) gives three to
 * four years for another species, *Haliotis discus hannai*.
 */
export const farmingAge = {
  /** Half a year plus three years. */
  years: 3.5,
  source: "Department of Natural Resources and Environment Tasmania, “Abalone farming”",
  address: "https://nre.tas.gov.au/aquaculture/aquaculture-species-in-tasmania/abalone-farming",
} as const;
