//! Every constant of the crate, with the reason for its value.
//!
//! Lengths are pixels at 500 dpi; byte angles are turns of 256 (1 unit = 1.4 degrees).

// --- Format limits ---

/// 500 dpi, as the whole number of pixels per centimetre that the format can carry.
pub const RESOLUTION_PX_PER_CM: u16 = 197;
/// Coordinates have 14 bits (ISO/IEC 19794-2:2005, 7.4.2).
pub const MAX_IMAGE_SIDE: u16 = 0x3fff;
/// The count is one byte.
pub const MAX_MINUTIAE: u16 = 255;
/// Ten fingers, four captures of each.
pub const MAX_VIEWS: u8 = 40;
/// Forty full views are about 60 kB; the rest is room for extended data.
pub const MAX_RECORD_BYTES: usize = 256 * 1024;
/// 250 dpi: below it ridges cannot be told apart.
pub const MIN_RESOLUTION_PX_PER_CM: u16 = 98;
/// 2,000 dpi: the finest scanners sold.
pub const MAX_RESOLUTION_PX_PER_CM: u16 = 788;

// --- Quality ---

/// As many minutiae as a good plain impression shows.
pub const QUALITY_COUNT: f32 = 40.0;
/// Area of a good plain impression, about 11 × 15 mm.
pub const QUALITY_AREA_PX2: f32 = 60_000.0;

/// Fewer minutiae fit on many a stranger's finger: such a finger cannot be searched.
pub const LEAST_MINUTIAE: usize = 12;
/// Of a finger that can be searched ([`crate::quality`], 0 to 100). Lower than what a kit asks for: a worn
/// finger that was taken as well as it could be is no reason to ask.
pub const LEAST_QUALITY: u8 = 30;

// --- Local descriptor (edge k-plets) ---

/// Minutiae kept per finger, best first; more only add spurious ones.
pub const MAX_PREPARED: usize = 60;
/// Neighbours further away than this belong to the global stage, where distortion is allowed for.
pub const EDGE_RADIUS: f32 = 100.0;
/// Neighbours per minutia.
pub const EDGE_COUNT: usize = 11;
/// Two ridges apart: nearer neighbours are one broken ridge.
pub const EDGE_MIN: f32 = 5.0;

/// Minutiae are told apart by the quarter of their finger's that they are in by quality: two bits in a
/// gallery. Quality itself means something else with every extractor.
pub const QUALITY_LEVELS: usize = 4;
/// So much more a minutia counts for each level.
pub const QUALITY_STEP: f32 = 0.45;

// --- Comparison ---
//
// Chosen on fingers 101 to 105 of FVC2002 DB1–4 "B" alone: each extractor's templates, one extractor's
// against the other's, both damaged on purpose (cropped, bent, thinned, with minutiae added), and as many
// unguided synthetic ones. Fingers 106 to 110 decided nothing.

/// Length tolerance: constant part.
pub const LENGTH_TOLERANCE: f32 = 5.0;
/// Length tolerance: share of the length, for skin that stretches.
pub const LENGTH_TOLERANCE_SHARE: f32 = 0.06;
/// Tolerance of bearings and directions in an edge: 15 degrees is 11 units; the local stage is laxer than the
/// global one.
pub const EDGE_ANGLE_TOLERANCE: u8 = 14;
/// Candidate pairs that enter relaxation.
pub const CANDIDATES: usize = 48;
/// Rounds of relaxation.
pub const RELAXATION_ROUNDS: usize = 4;
/// Share of a pair's old strength kept in each round.
pub const RELAXATION_KEEP: f32 = 0.4;
/// Votes below this (64 is one perfectly equal edge) do not make a candidate.
pub const MIN_VOTE: u16 = 80;
/// Global length tolerance: constant part and share of the length.
pub const GLOBAL_LENGTH_TOLERANCE: f32 = 8.0;
/// See [`GLOBAL_LENGTH_TOLERANCE`].
pub const GLOBAL_LENGTH_SHARE: f32 = 0.05;
/// Sine of the angle by which an edge may swing between two captures, beyond jitter.
pub const GLOBAL_SINE: f32 = 0.2;
/// Pixels of jitter of an edge's two ends together, twice.
pub const GLOBAL_JITTER: f32 = 12.0;
/// 2 − 2 cos of the largest difference between the turns of two pairs (25 degrees).
pub const GLOBAL_TWIST: f32 = 0.19;
/// The same as a byte angle: two pairs whose turns differ by more cannot both hold.
pub const GLOBAL_TURN: u16 = 17;
/// As many peers as a good pair usually has; divides the support.
pub const RELAXATION_PEERS: f32 = 12.0;
/// Candidates weaker than this share of an alignment's strongest are not among its seeds.
pub const SEED_SHARE: f32 = 0.15;
/// Fewer candidates do not say how one finger lies on the other.
pub const LEAST_SEEDS: u32 = 3;
/// Ways of laying one finger on the other that are tried: with one, 5.5 % of pairs across extractors failed
/// at equal error rates, with 16 4.3 %, with 64 3.9 %.
pub const ALIGNMENTS: usize = 16;
/// What the seeds' strength is worth beside the mates, when the best alignment is chosen.
pub const ALIGNMENT_SUPPORT: f32 = 0.15;
/// Two fingers whose best alignment gives less hope than this are given up before the surface is bent. Hope
/// is the logarithm of one plus what the alignment is worth, less [`HOPE_COUNT`] times that of one plus the
/// smaller number of minutiae. On fingers 101 to 105 and synthetic ones this ends 37 % (FingerJetFX), 62 %
/// (mindtct) and 79 % (synthetic) of impostor pairs, and 6 of 2,240 genuine ones, none of which had a score
/// above 1.2.
pub const LEAST_HOPE: f32 = -1.05;
/// See [`LEAST_HOPE`].
pub const HOPE_COUNT: f32 = 0.6;
/// The score of a pair that was given up, at the least hope: what strangers have there on average who are
/// compared to the end, so that means stay as they are.
pub const HOPELESS_SCORE: f32 = 1.1;
/// It falls by this factor of e for each unit of hope, as the mean of strangers does with each kind of
/// templates.
pub const HOPELESS_SLOPE: f32 = 2.8;
/// Radius within which minutiae are mates while alignments are tried.
pub const ALIGN_RADIUS: f32 = 14.0;
/// The same, when the surface was bent once.
pub const BEND_RADIUS: f32 = 16.0;
/// The same, when it was bent again: these mates count.
pub const MATE_RADIUS: f32 = 13.0;
/// Direction tolerance of mates: 28 degrees.
pub const MATE_ANGLE: u8 = 20;
/// Mates bend the surface around them about so far.
pub const BEND_REACH: f32 = 60.0;
/// As much as so many mates, the surface resists bending.
pub const BEND_STIFFNESS: f32 = 1.0;
/// Minutiae so far outside the other finger's hull lie in the common area that counts.
pub const HULL_MARGIN: f32 = 8.0;
/// Fewer minutiae in the common area count as so many.
pub const LEAST_COMMON: f32 = 4.0;
/// Logistic regression (genuine or impostor, both given equal weight) of: the logarithm of one plus the
/// evidence, which is mates times their share of the common area; the logarithm of one plus the smaller
/// number of minutiae; how far kinds agree, -1 to 1; the logarithm of one plus the alignment's seeds.
pub const SCORE_WEIGHTS: [f32; 4] = [5.63, -3.01, 0.88, 2.02];
/// The regression's constant, and 5 more, so that most impostors stay above the bend at zero.
pub const SCORE_OFFSET: f32 = -1.71 + 5.0;
/// Brings scores to a handy range.
pub const SCORE_SCALE: f32 = 1.15;
/// A single finger at or above this is the same finger at a false match rate of about 1 in 10,000.
///
/// Measured on 49,920 impostor pairs of FVC2002 DB1 to DB4 "B" with FingerJetFX minutiae (10.24; five pairs
/// lie above, so the rate is known to within a factor of two); with mindtct minutiae the same rate is at
/// 9.23. Example `fvc`.
pub const VERIFY_THRESHOLD: f32 = 10.3;

/// Score from which two captures of one person show one finger. Above [`VERIFY_THRESHOLD`], because a person
/// has 45 pairs and nearly everybody is honest.
pub const ONE_FINGER: f32 = 14.0;
/// A single finger's score and how often two different fingers reach it; see [`VERIFY_THRESHOLD`].
pub const FINGER_FALSE_MATCH_POINT: (f32, f64) = (VERIFY_THRESHOLD, 1e-4);
/// So much more is reached by one pair in ten. Between one in 100 (7.0) and one in 10,000 (10.24) it was 1.6
/// on the pairs of FVC2002; beyond them the line is extended and not measured, so it is taken flatter.
pub const FINGER_FALSE_MATCH_DECADE: f32 = 2.0;

// --- Fusion ---

/// Mean score of two different fingers.
pub const IMPOSTOR_MEAN: f32 = 2.0;
/// One finger alone must not decide for ten.
pub const MAX_FINGER_EVIDENCE: f32 = 30.0;
/// The sum over fewer fingers is divided as if there were this many, so that one lucky finger does not
/// decide.
pub const FUSION_FINGERS: u8 = 4;
/// Two sets of fingers at or above this are of one person.
///
/// A million pairs of ten-finger strangers, drawn from the impostor scores of FVC2002 (40 fingers,
/// FingerJetFX), reached 5.8 once in 1,000, 7.3 once in 10,000, 8.5 once in 100,000 and 10.2 once: 1.4 per
/// factor of ten. Extended in a straight line, 15 is a false match rate of about 3e-10. The line is long and
/// the fingers few: measure again on real enrolments.
pub const PERSON_THRESHOLD: f32 = 15.0;

/// A fused score and how often two different people with ten fingers reach it; see [`PERSON_THRESHOLD`].
pub const FALSE_MATCH_POINT: (f32, f64) = (7.3, 1e-4);
/// So much more is reached by one stranger in ten.
pub const FALSE_MATCH_DECADE: f32 = 1.4;
/// Mean of the greatest of n strangers' scores above [`IMPOSTOR_MEAN`], for each unit of the natural
/// logarithm of n. The greatest of ten lies near the 93rd percentile: 4.9.
pub const IMPOSTOR_CHOICE: f32 = 1.25;

/// The synthetic finger model. Lengths are pixels at 500 dpi, angles radians.
pub mod synthetic {
    /// Least and most minutiae of a whole finger.
    pub const MASTER_MINUTIAE: (f32, f32) = (60.0, 91.0);
    /// Least distance of two minutiae; drawn per finger.
    pub const MASTER_SPACING: (f32, f32) = (8.0, 10.0);
    /// Half the width of the ridge area.
    pub const MASTER_HALF_WIDTH: f32 = 150.0;
    /// Half the height of the ridge area.
    pub const MASTER_HALF_HEIGHT: f32 = 200.0;
    /// Minutiae follow the ridges to within 5 degrees: extractors take their direction from the smoothed
    /// flow.
    pub const DIRECTION_SIGMA: f32 = 0.09;
    /// Share of plain arches in fingers.
    pub const SHARE_ARCH: f32 = 0.037;
    /// Share of tented arches.
    pub const SHARE_TENTED: f32 = 0.029;
    /// Share of whorls.
    pub const SHARE_WHORL: f32 = 0.279;
    /// Share of loops that open towards the little finger; the rest open towards the thumb.
    pub const SHARE_ULNAR: f32 = 0.60;
    /// Sensor width.
    pub const IMAGE_WIDTH: u16 = 400;
    /// Sensor height.
    pub const IMAGE_HEIGHT: u16 = 480;
    /// Share of bad captures among ordinary ones.
    pub const BAD_SHARE: f32 = 0.05;
    /// Skin (0 worn, 1 crisp): mean, deviation between people, deviation between a person's fingers.
    pub const SKIN: (f32, f32, f32) = (0.68, 0.17, 0.08);
    /// Deviation of the contact area's middle.
    pub const SHIFT_SIGMA: f32 = 30.0;
    /// Share of ordinary captures shifted twice as far.
    pub const SHIFT_TAIL_SHARE: f32 = 0.1;
    /// Smallest contact area relative to the whole finger, at a station.
    pub const SMALLEST_VIEW: f32 = 0.78;
    /// The same for unguided captures.
    pub const SMALLEST_VIEW_UNGUIDED: f32 = 0.66;
    /// At a station worse captures (0 to 1) are repeated, unless the finger gives no better.
    pub const STATION_CLARITY: f32 = 0.58;
    /// Deviation of the rotation: 10 degrees.
    pub const TURN_SIGMA: f32 = 0.175;
    /// Share of captures turned two and a half times as far.
    pub const TURN_TAIL_SHARE: f32 = 0.1;
    /// No capture is turned further than 35 degrees.
    pub const TURN_LIMIT: f32 = 0.61;
    /// Deviation of a minutia's place.
    pub const JITTER: f32 = 2.5;
    /// Deviation of a minutia's direction: 6 degrees.
    pub const TURN_JITTER: f32 = 0.105;
    /// Share of endings taken for bifurcations and the reverse.
    pub const TYPE_FLIP: f32 = 0.2;
    /// Displacement at the edge of the contact area.
    pub const BEND: (f32, f32) = (3.0, 10.0);
}

// --- Identification ---

/// Rows have 22 bits in the index.
pub const MAX_PEOPLE: usize = 4_000_000;
/// Quadruples filed per person with ten fingers, for laying out the index.
pub const FEATURES_PER_PERSON: usize = 1_150;
/// Postings per bucket for the expected number of people.
pub const PLANNED_BUCKET: usize = 40;
/// Votes a person needs to be looked at.
///
/// Lower only lengthens the list from which the best are taken; no stranger has to be kept out by it.
pub const MIN_VOTES: u8 = 3;
/// People looked at per search: those with most votes.
pub const MAX_CANDIDATES: usize = 64;
/// So many fingers are few, a hand or less: a probe with no more looks at people with a vote, and every probe
/// at people enrolled with no more. Of 1,000 among 20,000, 99.6 % are found with one hand and 99.2 % with
/// four fingers; with the rule for ten fingers it was 96.4 % and 93.9 %.
pub const FEW_FINGERS: usize = 5;
/// People looked at per search then, those with most votes; a look takes some 6 µs.
///
/// Of 1,000 captured again among 30,000, who were found by looking at everybody with a vote, with one hand
/// 0.3 % had fewer votes than 600 strangers and none fewer than 1,500; with four fingers 0.8 % and none. A
/// fifth of strangers have one vote and a twentieth more, so up to some 90,000 people nobody with a vote is
/// left out, and at a million 2 % are looked at.
pub const FEW_CANDIDATES: usize = 20_000;
/// After so many fingers a candidate with a lower fused score is given up. Strangers have about -1.3 after
/// three.
pub const STAGE1: [(usize, f32); 2] = [(2, -0.5), (3, 1.0)];

/// Keys of the identification index.
///
/// Chosen on 2,000 synthetic people captured twice (the seed is no seed of the figures on the front page):
/// among 150,000 the person is in 99.5 % of cases one of the 40 with most votes. With triangles instead of
/// quadruples in bins half as wide, twice the lookups and three times the strangers' votes gave 98.9 %; with
/// quintuples in bins of 24 pixels the votes of poor captures were too few. Widths of 12 and 20 pixels, and
/// from 0.00 to 0.30 errors of doubt, were worse too.
pub mod quadruples {
    /// Minutiae per finger that form quadruples, best first.
    pub const MAX_POINTS: usize = 24;
    /// Only minutiae this near to the mean of all.
    pub const MIDDLE: f32 = 120.0;
    /// Least and greatest length of a base.
    pub const BASE: (f32, f32) = (60.0, 160.0);
    /// The other two minutiae are no further from the base's middle, along or across.
    pub const REACH: f32 = 120.0;
    /// A probe takes a base this near to level (in byte angles) both ways round.
    pub const UNSURE_LEVEL: i32 = 5;
    /// Bin of the base's length.
    pub const LENGTH_BIN: f32 = 16.0;
    /// Usual error of the base's length, in bins.
    pub const LENGTH_ERROR: f32 = 4.5 / LENGTH_BIN;
    /// Bin of another minutia's place.
    pub const PLACE_BIN: f32 = 16.0;
    /// Usual error of another minutia's place, in bins.
    pub const PLACE_ERROR: f32 = 4.0 / PLACE_BIN;
    /// Bin of the first end's direction: 36 degrees.
    pub const DIRECTION_BIN: f32 = 25.6;
    /// Usual error of the first end's direction, in bins.
    pub const DIRECTION_ERROR: f32 = 8.0 / DIRECTION_BIN;
    /// Bin of the base's direction on the finger: 45 degrees.
    pub const TURN_BIN: f32 = 32.0;
    /// Usual error of the base's direction, in bins.
    pub const TURN_ERROR: f32 = 11.0 / TURN_BIN;
    /// Usual error of a direction relative to the first end's, in quarter turns.
    pub const RELATIVE_ERROR: f32 = 8.0 / 64.0;
    /// A probe tries the other side of borders that are nearer than this many usual errors, several together
    /// if their sum is.
    pub const FLIP_WITHIN: f32 = 0.15;
    /// Keys of one finger, for either kind. Real fingers have some 130 of each.
    pub const MOST_OF_FINGER: usize = 1_024;
    /// Share of bases that are looked at, in 256ths.
    pub const KEEP_BASES_OF_256: u64 = 64;
    /// Share of their quadruples that are filed, in 4096ths. (Fewer bases and more quadruples of each would
    /// be quicker, and lose people: quadruples of one base are found or lost together.)
    pub const KEEP_OF_4096: u16 = 72;
}

/// The first look at a candidate.
pub mod quick {
    /// Side of a cell of the grid.
    pub const CELL: f32 = 6.0;
    /// A minutia is painted this far to every side.
    pub const PAINT: f32 = 9.0;
    /// Minutiae of each finger that are laid on each other, best first.
    pub const ANCHORS: usize = 14;
    /// Minutiae of the enrolled finger that are counted.
    pub const LAID: usize = 28;
    /// Two captures are turned no further against each other, in byte angles: 45 degrees.
    pub const MOST_TURN: u8 = 32;
    /// Two captures are shifted no further against each other, across or along, beyond the difference of
    /// their means.
    pub const MOST_SHIFT: f32 = 90.0;
    /// After eight and after sixteen minutiae fewer that fit end the counting.
    pub const FEWEST_AFTER: [u32; 2] = [2, 4];
    /// Least sum of minutiae that fit after one, two … five fingers. Of strangers with many votes (5,000
    /// people enrolled, 149,000 of them) the sum over five is 30 on average and one in 100 reaches 42; of
    /// 1,348 people captured again the least had 3, 17, 28, 36 and 56. Lower by some, for captures that are
    /// worse.
    pub const LEAST: [u32; 5] = [3, 13, 24, 33, 42];
}

/// Sketches of edges.
///
/// Chosen on FVC2002 DB1–4 "B", fingers 101 to 105, and unguided synthetic fingers: 81 % of genuine single
/// fingers are among the best 1 % of strangers' and 75 % among the best 0.1 %. With 64 bits 66 % and 55 %;
/// edges filed in neighbouring bins as well: 33 %. Of 500 synthetic people with four fingers 99.2 % are among
/// the best 1 % and 99.8 % among the best 2 %; with 14 neighbours within 120 pixels 99.4 % are among the best
/// 2 %.
pub mod sketch {
    /// Neighbours per minutia. Not above 31: the kernels count in five bits.
    pub const EDGES: usize = 17;
    /// No edge is longer.
    pub const RADIUS: f32 = 140.0;
    /// Nor shorter.
    pub const NEAREST: f32 = 5.0;
    /// Bin of the length.
    pub const LENGTH_BIN: f32 = 16.0;
    /// Bin of the bearing: 45 degrees.
    pub const BEARING_BIN: u32 = 32;
    /// Bin of the direction: a quarter turn.
    pub const DIRECTION_BIN: u32 = 64;
    /// Minutiae with most edges in common that are added up.
    pub const TOP: u32 = 10;
}

/// The exhaustive search.
pub mod scan {
    /// Captures per person.
    pub const MOST_FINGERS: usize = 40;
    /// Fingers from which the strangers' mean is estimated.
    pub const SAMPLE: usize = 1_000;
    /// Share of people who are compared after their sketches.
    pub const KEEP_SHARE: f32 = 0.01;
    /// The same when any finger may be any, which ranks people less surely.
    pub const KEEP_SHARE_ANY: f32 = 0.02;
    /// Share of people whose whole sketches are looked at where any of [`HALF_FINGERS`] fingers may be any.
    /// Of 400 synthetic people of four fingers captured again without guidance, among 4,000, the whole
    /// sketches put 391 among the best 2 %, and of these none was lost with 15 % and three with 10 %.
    pub const KEEP_SHARE_HALF: f32 = 0.15;
    /// With fewer fingers everybody's whole sketches are looked at: there is less to choose by, and less to
    /// do.
    pub const HALF_FINGERS: usize = 4;
    /// At least so many are.
    pub const KEEP_LEAST: usize = 200;
    /// After so many fingers a candidate with a lower fused score is given up, see [`super::STAGE1`]. Here
    /// most candidates are strangers, so one finger has to be enough for most of them.
    pub const GIVE_UP: [(usize, f32); 3] = [(1, 0.25), (2, 0.5), (3, 1.0)];
    /// The greatest of n draws lies this share of the square root of 2 ln n above the mean, in deviations (n
    /// from 2 to 40).
    pub const GREATEST_SLOPE: f32 = 0.7;
}
