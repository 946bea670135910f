use super::*;
use std::collections::HashSet;

fn rows(vectors: &Vectors, count: u64) -> Vec<Vec<f32>> {
    (0..count).map(|row| made(vectors.dim(), |out| vectors.row(row, out))).collect()
}

fn made(dim: usize, make: impl FnOnce(&mut [f32])) -> Vec<f32> {
    let mut out = vec![0.0; dim];
    make(&mut out);
    out
}

#[test]
fn a_vector_follows_from_seed_stream_and_number_alone() {
    let (one, other) = (Vectors::new(Seed(1), 24), Vectors::new(Seed(1), 24));
    // Asked for in another order, from another copy: as two lanes would.
    let forwards: Vec<_> = (0..100).map(|n| made(24, |out| one.query(3, n, out))).collect();
    let mut backwards: Vec<_> = (0..100).rev().map(|n| made(24, |out| other.clone().query(3, n, out))).collect();
    backwards.reverse();
    assert_eq!(forwards, backwards);
    assert_ne!(forwards[0], made(24, |out| one.query(4, 0, out)));
    assert_ne!(forwards[0], made(24, |out| Vectors::new(Seed(2), 24).query(3, 0, out)));
    assert_eq!(made(24, |out| one.written(1, 5, 2, out)), made(24, |out| other.written(1, 5, 2, out)));
}

#[test]
fn no_two_of_a_hundred_thousand_rows_are_equal() {
    let vectors = Vectors::new(Seed(11), 16);
    let mut seen = HashSet::new();
    let mut row = vec![0.0; 16];
    for number in 0..100_000 {
        vectors.row(number, &mut row);
        assert!(seen.insert(row.iter().map(|value| value.to_bits()).collect::<Vec<_>>()), "row {number}");
    }
}

#[test]
fn a_cluster_s_rows_scatter_around_its_centre_as_documented() {
    let (dim, count) = (32, 20_000);
    let vectors = Vectors::new(Seed(3), dim);
    let mut within = (0.0, 0.0);
    let mut sizes = [0_u32; CLUSTERS];
    for (number, row) in rows(&vectors, count).iter().enumerate() {
        let cluster = vectors.cluster_of_row(number as u64);
        sizes[cluster] += 1;
        let centre = &vectors.tables.read[cluster * dim..][..dim];
        for (value, centre) in row.iter().zip(centre) {
            within.0 += f64::from(value - centre);
            within.1 += f64::from(value - centre).powi(2);
        }
    }
    // The table's own mean and variance, of 65,536 numbers, bound how near the noise comes to 0 and 1: standard deviations
    // of sqrt(1/65536) = 0.4 % and sqrt(2/65536) = 0.6 %. Five of them; the 640,000 numbers drawn from it add a quarter.
    let n = (count as usize * dim) as f64;
    assert!((within.0 / n).abs() < SPREAD * 1.4 * 0.02, "mean {}", within.0 / n);
    assert!((within.1 / n - SPREAD * SPREAD).abs() < 0.035 * SPREAD * SPREAD, "variance {}", within.1 / n);
    // Binomial sizes: mean 312.5, standard deviation 17.5; five of them.
    assert!(sizes.iter().all(|size| size.abs_diff(312) < 90), "{sizes:?}");
    // Centres: variance 3/4 with a standard deviation of sqrt(2/2048), around the common part.
    let centres = &vectors.tables.read;
    let mean = centres.iter().map(|value| f64::from(*value)).sum::<f64>() / centres.len() as f64;
    let variance = centres.iter().map(|value| (f64::from(*value) - mean).powi(2)).sum::<f64>() / centres.len() as f64;
    assert!((mean - ROWS_AWAY * vectors.radius() / (dim as f64).sqrt()).abs() < 5.0 * (0.75 / 2048.0_f64).sqrt(), "mean {mean}");
    assert!((variance - 0.75).abs() < 5.0 * 0.75 * (2.0 / 2048.0_f64).sqrt(), "variance {variance}");
}

#[test]
fn a_query_s_nearest_rows_are_those_of_its_cluster() {
    let vectors = Vectors::new(Seed(4), 64);
    let data = rows(&vectors, 4_000);
    for number in 0..50 {
        let query = made(64, |out| vectors.query(0, number, out));
        let drawn = cluster(vectors.seed.draws(Purpose::Queries, 0).at(number));
        let nearest =
            (0..data.len()).min_by(|a, b| Metric::L2.distance(&query, &data[*a]).total_cmp(&Metric::L2.distance(&query, &data[*b])));
        assert_eq!(vectors.cluster_of_row(nearest.unwrap() as u64), drawn, "query {number}");
    }
}

#[test]
fn every_written_row_is_farther_from_every_query_than_every_filled_row() {
    for (seed, dim) in [(1, 1), (2, 2), (3, 8), (4, 128), (5, 768)] {
        let vectors = Vectors::new(Seed(seed), dim);
        let data = rows(&vectors, 300);
        let written: Vec<_> = (0..300).map(|n| made(dim, |out| vectors.written(1, n / 10, (n % 10) as u32, out))).collect();
        for number in 0..40 {
            let query = made(dim, |out| vectors.query(0, number, out));
            for metric in Metric::ALL {
                let by = |a: &f64, b: &f64| if metric.nearer(*a, *b) { std::cmp::Ordering::Less } else { std::cmp::Ordering::Greater };
                let farthest_row = data.iter().map(|row| metric.distance(&query, row)).max_by(by).unwrap();
                let nearest_written = written.iter().map(|row| metric.distance(&query, row)).min_by(by).unwrap();
                assert!(metric.nearer(farthest_row, nearest_written), "{metric} dim {dim}: {farthest_row} {nearest_written}");
            }
        }
    }
}

#[test]
fn the_balls_hold_what_they_are_said_to_hold() {
    // What the margin rests on, for the worst noise there can be rather than for the noise that was drawn.
    for dim in [1, 2, 16, 200] {
        let vectors = Vectors::new(Seed(8), dim);
        let radius = vectors.radius();
        let u = 1.0 / (dim as f64).sqrt();
        let from =
            |vector: &[f32], away: f64| vector.iter().map(|value| (f64::from(*value) - away * radius * u).powi(2)).sum::<f64>().sqrt();
        for number in 0..2_000 {
            assert!(from(&made(dim, |out| vectors.row(number, out)), ROWS_AWAY) < radius);
            assert!(from(&made(dim, |out| vectors.query(2, number, out)), ROWS_AWAY) < radius);
            assert!(from(&made(dim, |out| vectors.written(2, number, 0, out)), -WRITTEN_AWAY) < radius);
        }
        let worst = vectors.tables.noise.largest_norm() * SPREAD;
        for centre in vectors.tables.read.chunks_exact(dim) {
            assert!(from(centre, ROWS_AWAY) + worst <= radius * 1.000_001);
        }
        for centre in vectors.tables.written.chunks_exact(dim) {
            assert!(from(centre, -WRITTEN_AWAY) + worst <= radius * 1.000_001);
        }
    }
}

#[test]
fn a_distance_to_a_row_that_is_not_there_is_none() {
    let vectors = Vectors::new(Seed(1), 4);
    let query = made(4, |out| vectors.query(0, 0, out));
    let row = made(4, |out| vectors.row(9, out));
    assert_eq!(vectors.distance_to_row(&query, 9, 10, Metric::L2), Some(Metric::L2.distance(&query, &row)));
    for id in [10, -1, i64::MAX] {
        assert_eq!(vectors.distance_to_row(&query, id, 10, Metric::L2), None);
    }
}

#[test]
fn another_seed_draws_other_queries_over_the_same_rows() {
    let (one, other) = (Vectors::new(Seed(1), 8), Vectors::new(Seed(1), 8).drawing(Seed(2)));
    assert_eq!(made(8, |out| one.row(5, out)), made(8, |out| other.row(5, out)));
    assert_ne!(made(8, |out| one.query(0, 5, out)), made(8, |out| other.query(0, 5, out)));
    assert_ne!(made(8, |out| one.written(0, 5, 0, out)), made(8, |out| other.written(0, 5, 0, out)));
}
