//! Many small comparisons at once, each answer one bit.
//!
//! The compiler turns most loops of this crate into vectors by itself, but not those that end in one bit per
//! lane. On x86-64 these use SSE2, which every such processor has; elsewhere a loop. A test proves them
//! equal.

pub(crate) const LANES: usize = 16;

/// Bit n is set where `values[n] & mask == wanted`.
#[inline(always)]
pub(crate) fn equal(values: &[u32; LANES], mask: u32, wanted: u32) -> u32 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: SSE2 is part of x86-64, and the four loads of 16 bytes lie inside the array of 64.
    unsafe {
        use std::arch::x86_64::*;
        let (mask, wanted) = (_mm_set1_epi32(mask as i32), _mm_set1_epi32(wanted as i32));
        let start: *const __m128i = values.as_ptr().cast();
        let part = |at: usize| _mm_cmpeq_epi32(_mm_and_si128(_mm_loadu_si128(start.add(at)), mask), wanted);
        let halves = (_mm_packs_epi32(part(0), part(1)), _mm_packs_epi32(part(2), part(3)));
        _mm_movemask_epi8(_mm_packs_epi16(halves.0, halves.1)) as u32
    }
    #[cfg(not(target_arch = "x86_64"))]
    equal_portable(values, mask, wanted)
}

/// Bit n is set where `values[n] ^ other` is below `limit`, which is not zero.
#[inline(always)]
pub(crate) fn near(values: &[u16; LANES], other: u16, limit: u16) -> u32 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: SSE2 is part of x86-64, and the two loads of 16 bytes lie inside the array of 32.
    unsafe {
        use std::arch::x86_64::*;
        let (other, most) = (_mm_set1_epi16(other as i16), _mm_set1_epi16((limit - 1) as i16));
        let start: *const __m128i = values.as_ptr().cast();
        // Subtraction that stops at zero leaves zero exactly for what is not above the greatest allowed.
        let part = |at: usize| {
            let difference = _mm_xor_si128(_mm_loadu_si128(start.add(at)), other);
            _mm_cmpeq_epi16(_mm_subs_epu16(difference, most), _mm_setzero_si128())
        };
        _mm_movemask_epi8(_mm_packs_epi16(part(0), part(1))) as u32
    }
    #[cfg(not(target_arch = "x86_64"))]
    near_portable(values, other, limit)
}

/// Bit n is set where `values[n]` is not below `least`.
#[inline(always)]
pub(crate) fn at_least(values: &[u16; LANES], least: u16) -> u32 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: SSE2 is part of x86-64, and the two loads of 16 bytes lie inside the array of 32.
    unsafe {
        use std::arch::x86_64::*;
        let least = _mm_set1_epi16(least as i16);
        let start: *const __m128i = values.as_ptr().cast();
        // Subtraction that stops at zero leaves zero exactly for what is not below the least.
        let part = |at: usize| {
            _mm_cmpeq_epi16(_mm_subs_epu16(least, _mm_loadu_si128(start.add(at))), _mm_setzero_si128())
        };
        _mm_movemask_epi8(_mm_packs_epi16(part(0), part(1))) as u32
    }
    #[cfg(not(target_arch = "x86_64"))]
    at_least_portable(values, least)
}

/// Bit n is set where `values[n]` is not below `least`.
#[inline(always)]
pub(crate) fn bytes_at_least(values: &[u8; LANES], least: u8) -> u32 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: SSE2 is part of x86-64, and the load of 16 bytes is the array.
    unsafe {
        use std::arch::x86_64::*;
        let (values, least) = (_mm_loadu_si128(values.as_ptr().cast()), _mm_set1_epi8(least as i8));
        _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_subs_epu8(least, values), _mm_setzero_si128())) as u32
    }
    #[cfg(not(target_arch = "x86_64"))]
    bytes_at_least_portable(values, least)
}

/// Bit n is set where `values[n]` differs from `other` by no more than `most`.
#[inline(always)]
pub(crate) fn within(values: &[u8; LANES], other: u8, most: u8) -> u32 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: SSE2 is part of x86-64, and the load of 16 bytes is the array.
    unsafe {
        use std::arch::x86_64::*;
        let (values, other) = (_mm_loadu_si128(values.as_ptr().cast()), _mm_set1_epi8(other as i8));
        // Of the two differences the one that would be negative stops at zero.
        let difference = _mm_or_si128(_mm_subs_epu8(values, other), _mm_subs_epu8(other, values));
        let beyond = _mm_subs_epu8(difference, _mm_set1_epi8(most as i8));
        _mm_movemask_epi8(_mm_cmpeq_epi8(beyond, _mm_setzero_si128())) as u32
    }
    #[cfg(not(target_arch = "x86_64"))]
    within_portable(values, other, most)
}

/// As [`within`] for byte angles, the shorter way round.
#[inline(always)]
pub(crate) fn within_turn(values: &[u8; LANES], other: u8, most: u8) -> u32 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: as in `within`.
    unsafe {
        use std::arch::x86_64::*;
        let (values, other) = (_mm_loadu_si128(values.as_ptr().cast()), _mm_set1_epi8(other as i8));
        let distance = _mm_min_epu8(_mm_sub_epi8(values, other), _mm_sub_epi8(other, values));
        let beyond = _mm_subs_epu8(distance, _mm_set1_epi8(most as i8));
        _mm_movemask_epi8(_mm_cmpeq_epi8(beyond, _mm_setzero_si128())) as u32
    }
    #[cfg(not(target_arch = "x86_64"))]
    within_turn_portable(values, other, most)
}

#[cfg(any(test, not(target_arch = "x86_64")))]
fn within_portable(values: &[u8; LANES], other: u8, most: u8) -> u32 {
    values.iter().enumerate().fold(0, |bits, (lane, v)| bits | u32::from(v.abs_diff(other) <= most) << lane)
}

#[cfg(any(test, not(target_arch = "x86_64")))]
fn within_turn_portable(values: &[u8; LANES], other: u8, most: u8) -> u32 {
    let near = |value: u8| crate::angle::distance(value, other) <= most;
    values.iter().enumerate().fold(0, |bits, (lane, &value)| bits | u32::from(near(value)) << lane)
}

#[cfg(any(test, not(target_arch = "x86_64")))]
fn equal_portable(values: &[u32; LANES], mask: u32, wanted: u32) -> u32 {
    values.iter().enumerate().fold(0, |bits, (lane, value)| bits | u32::from(value & mask == wanted) << lane)
}

#[cfg(any(test, not(target_arch = "x86_64")))]
fn at_least_portable(values: &[u16; LANES], least: u16) -> u32 {
    values.iter().enumerate().fold(0, |bits, (lane, &value)| bits | u32::from(value >= least) << lane)
}

#[cfg(any(test, not(target_arch = "x86_64")))]
fn bytes_at_least_portable(values: &[u8; LANES], least: u8) -> u32 {
    values.iter().enumerate().fold(0, |bits, (lane, &value)| bits | u32::from(value >= least) << lane)
}

#[cfg(any(test, not(target_arch = "x86_64")))]
fn near_portable(values: &[u16; LANES], other: u16, limit: u16) -> u32 {
    values.iter().enumerate().fold(0, |bits, (lane, value)| bits | u32::from(value ^ other < limit) << lane)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

        #[test]
        fn bytes_too(
            values in prop::array::uniform16(any::<u8>()), other in any::<u8>(), most in any::<u8>(),
        ) {
            for most in [most, 0, 14, 128, 255] {
                prop_assert_eq!(bytes_at_least(&values, most), bytes_at_least_portable(&values, most));
                prop_assert_eq!(within(&values, other, most), within_portable(&values, other, most));
                let turned = within_turn_portable(&values, other, most);
                prop_assert_eq!(within_turn(&values, other, most), turned);
            }
        }

        #[test]
        fn vectors_answer_as_loops_do(
            wide in prop::array::uniform16(any::<u32>()), mask in any::<u32>(), pick in 0..LANES,
            narrow in prop::array::uniform16(any::<u16>()), other in any::<u16>(), limit in 1..=u16::MAX,
        ) {
            for mask in [mask, 0x3ff, 3, u32::MAX] {
                let wanted = wide[pick] & mask;
                prop_assert_eq!(equal(&wide, mask, wanted), equal_portable(&wide, mask, wanted));
            }
            for limit in [limit, 1, u16::MAX] {
                prop_assert_eq!(near(&narrow, other, limit), near_portable(&narrow, other, limit));
                prop_assert_eq!(at_least(&narrow, limit), at_least_portable(&narrow, limit));
            }
        }
    }
}
