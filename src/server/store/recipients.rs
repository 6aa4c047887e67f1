//! Who was made a recipient of a category.
