//! The three CRMs, rule by rule.

mod breakcold;
mod general;
mod leadsquared;
mod livespace;
mod rules;
