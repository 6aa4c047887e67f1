//! Properties of every plan, on generated input.
