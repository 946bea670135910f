//! What to send: vectors, rows, filters, ground truth and recall. Seeded; knows no wire.
