//! Matrices of small integers.

use crate::{Numbers, Sum};

/// Rows, and columns.
const N: usize = 10;

type Matrix<T> = [[T; N]; N];

/// Multiplies two of them.
pub(crate) fn round(numbers: &mut Numbers, sum: &mut Sum) {
    let (left, right) = (matrix(numbers), matrix(numbers));
    for row in product(&left, &right) {
        for element in row {
            let [_, low, high, _] = element.to_le_bytes();
            sum.add(u16::from_le_bytes([low, high]));
        }
    }
}

fn matrix(numbers: &mut Numbers) -> Matrix<i16> {
    core::array::from_fn(|_| core::array::from_fn(|_| (numbers.next() >> 4).cast_signed() - 2048))
}

fn product(left: &Matrix<i16>, right: &Matrix<i16>) -> Matrix<i32> {
    let mut product = [[0; N]; N];
    for (row, out) in left.iter().zip(&mut product) {
        for (column, out) in out.iter_mut().enumerate() {
            for (element, other) in row.iter().zip(right) {
                *out += i32::from(*element) * i32::from(other[column]);
            }
        }
    }
    product
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_times_a_matrix_is_the_matrix() {
        let one = core::array::from_fn(|row| core::array::from_fn(|at| i16::from(row == at)));
        let other = matrix(&mut Numbers(1));
        assert_eq!(product(&one, &other), other.map(|row| row.map(i32::from)));
        assert_eq!(product(&other, &one), other.map(|row| row.map(i32::from)));
    }
}
